"""Every action of the audit log, by what a restore does about one that its backup does not know. Pure.

`name.*` stands for every verb of that noun. A test fails until a new action has its place here.
"""

REPLAYED = frozenset({
    "key.revoke", "key.rotate", "key.change",
    "account.suspend", "account.halt",
    "user.set_password", "user.enrol_second_factor", "user.replace_second_factor", "user.reset_second_factor",
    "user.issue_recovery_codes", "user.show_second_factor", "user.unlink_identity", "user.change_role", "user.change_address",
    "user.register_anew", "user.forget_ways_in", "user.discard_recovery_codes",
    "upstream.switch", "model.withdraw",
    "webhook.switch_off", "webhook.remove", "webhook.change", "webhook.rotate", "webhook.forget_secrets",
})  # fmt: skip
"""It stopped or took away something, which must not come back."""

LISTED = frozenset({
    "key.create", "account.restore", "account.resume", "account.change_company",
    "user.create", "user.verify_address", "user.link_identity", "user.change_profile", "user.choose_notices",
    "credit.grant", "account.grant_trial_credit", "adjustment.*", "payment.refund", "payment.refund_refused",
    "limits.change", "limits.revert", "limit_preset.*",
    "pricing_rule.*", "model_price.*", "model.restore", "pack.*", "bonus_tier.*", "upstream.add", "upstream.register",
    "suspense.resolve", "supplier.resolve", "note.add", "set_up.*",
    "webhook.add", "webhook.switch_on", "alert_rule.*", "incident.*",
})  # fmt: skip
"""It gave or decided something that an audit row is not enough to make again: people look at it."""

PASSED_OVER = frozenset({
    "user.sign_in", "user.confirm", "user.sign_out", "user.end_session", "user.end_other_sessions", "user.end_sessions",
    "user.send_reset_link", "user.ask_for_address",
    "secrets.reseal", "alarm.*", "viewing.*", "job.request", "stripe_event.try", "database.restore",
    "webhook.test", "webhook.redeliver", "webhook.redeliver_all", "usage.drop_month",
})  # fmt: skip
"""Nothing is left of it once everybody is signed out and no link works, or the clock does it again."""


def is_among(action: str, actions: frozenset[str]) -> bool:
    """Whether the action, or every verb of its noun, is one of them."""
    return action in actions or f"{action.partition('.')[0]}.*" in actions
