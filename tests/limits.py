"""What the system allows a process of the tests."""

import resource


def raise_file_limit() -> None:
    """This process may have as many sockets as the system allows it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
