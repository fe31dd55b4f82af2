"""`python -m tests.fakes.stripe PORT --webhook URL --secret whsec_…`: the stand-in as a process. http://127.0.0.1:PORT/ plays the bank."""

import argparse
import signal

from config.stopped import stopped_by
from tests.fakes.stripe.server import KEY, SECRET, FakeStripe


def main() -> None:
    asked = argparse.ArgumentParser(prog="python -m tests.fakes.stripe")
    asked.add_argument("port", type=int)
    asked.add_argument("--webhook", default="", help="where events go")
    asked.add_argument("--secret", default=SECRET, help="STRIPE_WEBHOOK_SECRET of the deployment")
    asked.add_argument("--key", default=KEY, help="STRIPE_SECRET_KEY of the deployment")
    asked.add_argument("--tax-percent", type=int, default=0)
    asked.add_argument("--minutes", type=float, default=480, help="it ends by itself after so long")
    given = asked.parse_args()
    ended = stopped_by(signal.SIGTERM, signal.SIGINT)
    with FakeStripe(
        webhook=given.webhook, port=given.port, secret_key=given.key, webhook_secret=given.secret, tax_percent=given.tax_percent
    ) as fake:
        print(f"a stand-in for Stripe at {fake.url}: STRIPE_SECRET_KEY={given.key} STRIPE_API_BASE={fake.url}", flush=True)
        ended.wait(given.minutes * 60)


if __name__ == "__main__":
    main()
