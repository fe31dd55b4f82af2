"""What the business is. Knows no HTTP, no Flask, no upstream: a door asks here what to do, asks a
client to do it, and tells here what happened.

Modules in order; each imports only from those before it:
staff → outbox → accounts → company → letters → alarms → identity → notes → keys → limits → pricing → ledger → notices → usage → alerts →
standing → calls → payments → webhooks → books → registration → clock_alarms → journal → proofs → resealing → jobs → supplier → uptime →
retention → desk → demo

`staff` comes first, since every verb records who did it; then `outbox`, since any verb may announce what happened.

Laws
1. Only doors, and the floor that makes a process (`wiring`, `upstreams`, `live`, `heart`, `sampling`, `serving`, `telemetry`, `reader`,
   `cashier`, `buyer`, `backups`, `web`), import Flask; only clients reach outside.
2. `domain` and `clients` do not know each other.
3. A module imports only from its left.
4. Rows do not climb: what crosses a floor on the request path is a frozen dataclass.
5. No transaction is open while a socket is waiting. One verb = one `transaction()`.
6. Only the ledger writes entries; only `clock` reads clocks; only `money` rounds.
"""
