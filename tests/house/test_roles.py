"""README's table of who may do what is what the app does (R24)."""

from tests import roles


def test_the_table_of_roles_in_readme_is_the_apps_own() -> None:
    assert roles.in_readme() == roles.of_the_app(), "Refresh README with `python -m tests.roles`"


def test_an_admin_may_do_whatever_another_role_may() -> None:
    lines = roles.of_the_app().splitlines()[2:]

    assert len(lines) > 3
    assert all("✓" in line.split(" | ")[-1] for line in lines)
