"""DOOR of the clock: jobs that no request triggers. `schedule.JOBS` lists them."""
