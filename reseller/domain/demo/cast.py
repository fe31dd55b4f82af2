"""Who is in the demo: staff, customers, and how each customer calls and pays. Plain tables, no behaviour.

Every address lies under `.example`, which no mail ever reaches (RFC 2606).
"""

from dataclasses import dataclass

from reseller.domain.accounts import Role
from reseller.domain.ledger import EntryKind

DAYS = 90

OFFICE_HOURS = (0, 0, 0, 0, 0, 1, 3, 8, 14, 16, 15, 11, 12, 15, 16, 14, 10, 6, 3, 2, 1, 1, 0, 0)
EVENINGS = (6, 3, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 6, 8, 10, 13, 16, 18, 18, 15, 10)
NIGHT_AND_DAY = (5, 5, 18, 16, 5, 4, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 5, 5, 5, 5, 5, 5)

WORKING_WEEK = (100, 108, 112, 105, 92, 18, 14)
LEISURE = (80, 80, 85, 90, 120, 150, 145)
EVERY_DAY = (100, 98, 101, 103, 99, 97, 100)

MINI, GPT, SONNET = "openai/gpt-4o-mini", "openai/gpt-4o", "anthropic/claude-sonnet-4"
FLASH, DEEPSEEK, LLAMA = "google/gemini-2.5-flash", "deepseek/deepseek-chat", "meta-llama/llama-3.3-70b-instruct"
EMBED, LOREM = "openai/text-embedding-3-small", "sandbox/lorem"


@dataclass(frozen=True, slots=True)
class Staffer:
    email: str
    full_name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Habit:
    """The rhythm of an account's calls. Weights are relative, `_percent` is whole percents."""

    calls_a_day: int  # on a day of 100 percent, once grown
    models: tuple[tuple[str, int], ...]  # model → weight
    hours: tuple[int, ...] = OFFICE_HOURS  # weight of each UTC hour
    weekdays: tuple[int, ...] = WORKING_WEEK  # percent of each day, Monday first
    began_at_percent: int = 60  # of `calls_a_day` in the first week; grows evenly until today
    size_percent: int = 100  # of ordinary token counts
    stream_percent: int = 60
    test_percent: int = 3  # calls with the test key
    left_days_ago: int = 0  # no calls since


@dataclass(frozen=True, slots=True)
class Purse:
    """How an account pays: packs of whole dollars, bought when less than `low_water_usd` is left, or only once it is stuck."""

    pack_usd: int
    low_water_usd: int = 3
    is_prompt: bool = True
    ends_with_usd: int | None = None  # about this much is available in the end


@dataclass(frozen=True, slots=True)
class Customer:
    email: str
    full_name: str
    company: str
    habit: Habit
    purse: Purse
    joined_days_ago: int = DAYS
    limits: tuple[tuple[str, int], ...] = ()  # names as in limits.LIMIT_COLUMNS; the rest are the defaults
    goodwill_usd: int = 0  # granted by staff after the bad afternoon
    suspended_because: str = ""
    back: tuple[tuple[int, EntryKind, int], ...] = ()  # days ago, kind and dollars of what went back of the payment before


BAD_AFTERNOON_DAYS_AGO = 23
BAD_AFTERNOON_HOURS = (13, 14, 15)
"""UTC hours in which many calls failed upstream, so that charts have something to explain."""

ADMIN = Staffer("admin@demo.example", "Robin Ekström", Role.ADMIN)
SUPPORT = Staffer("support@demo.example", "Leila Haddad", Role.SUPPORT)
FINANCE = Staffer("finance@demo.example", "Marcus Bell", Role.FINANCE)
STAFF = (ADMIN, SUPPORT, FINANCE)

CUSTOMER = Customer(
    "customer@demo.example",
    "Casey Morgan",
    "Morgan Studio",
    Habit(34, ((MINI, 45), (SONNET, 20), (FLASH, 20), (EMBED, 10), (LOREM, 5)), size_percent=350, test_percent=6),
    Purse(5, low_water_usd=2, ends_with_usd=25),
)

CUSTOMERS = (
    CUSTOMER,
    Customer(
        "maya@fjordlight.example",
        "Maya Lindqvist",
        "Fjordlight Analytics",
        Habit(62, ((SONNET, 40), (GPT, 35), (EMBED, 25)), size_percent=900, began_at_percent=45),
        Purse(50, low_water_usd=15),
        limits=(("rpm", 1200), ("rph", 30_000), ("concurrent", 200)),
        goodwill_usd=10,
    ),
    Customer(
        "aiko.tanaka@kumogames.example",
        "Aiko Tanaka",
        "Kumo Games",
        Habit(48, ((MINI, 60), (DEEPSEEK, 30), (FLASH, 10)), hours=EVENINGS, weekdays=LEISURE, size_percent=700, stream_percent=95),
        Purse(10),
        back=((47, EntryKind.DISPUTE, -10), (38, EntryKind.DISPUTE, 10)),
    ),
    Customer(
        "ops@riveralogistics.example",
        "Tomás Rivera",
        "Rivera & Sons Logistics",
        Habit(
            50, ((LLAMA, 55), (EMBED, 45)), hours=NIGHT_AND_DAY, weekdays=EVERY_DAY, size_percent=800, began_at_percent=90, stream_percent=0
        ),
        Purse(5, low_water_usd=1),
        joined_days_ago=88,
        limits=(("rpm", 60),),
    ),
    Customer(
        "s.okafor@okaforlegal.example",
        "Samuel Okafor",
        "Okafor Legal",
        Habit(20, ((SONNET, 70), (GPT, 30)), size_percent=600, began_at_percent=80),
        Purse(10, is_prompt=False),
        joined_days_ago=75,
        back=((33, EntryKind.REFUND, -4),),
    ),
    Customer(
        "priya@lotushealth.example",
        "Priya Raman",
        "Lotus Health",
        Habit(36, ((GPT, 50), (MINI, 50)), size_percent=600, began_at_percent=25),
        Purse(10, low_water_usd=2),
        joined_days_ago=60,
    ),
    Customer(
        "jonas.weber@weber-antriebe.example",
        "Jonas Weber",
        "Weber Antriebstechnik",
        Habit(28, ((FLASH, 60), (MINI, 40)), size_percent=600, left_days_ago=31),
        Purse(5, low_water_usd=1),
    ),
    Customer(
        "chloe@ateliermartin.example",
        "Chloé Martin",
        "Atelier Martin",
        Habit(12, ((MINI, 50), (SONNET, 50)), hours=EVENINGS, weekdays=LEISURE, size_percent=300, test_percent=25),
        Purse(5, low_water_usd=1, is_prompt=False),
        joined_days_ago=14,
        limits=(("max_tokens", 4096),),
    ),
    Customer(
        "dan@northgatetutors.example",
        "Daniel Cohen",
        "Northgate Tutors",
        Habit(30, ((MINI, 70), (DEEPSEEK, 30)), hours=EVENINGS, weekdays=EVERY_DAY, size_percent=500),
        Purse(5, low_water_usd=1),
        joined_days_ago=40,
        suspended_because="The bank reports the card as stolen; waiting for its answer.",
    ),
)
