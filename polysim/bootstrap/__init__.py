"""Everything between a bare machine and a running Polysim; standard library only.

paths         where things lie
environment   the Python environment (.venv)
processes     starting and stopping child processes that never outlive their parent
postgres      the embedded PostgreSQL
valkey        the embedded Valkey
services      both together, or DATABASE_URL / REDIS_URL; the variables that Django's settings read
frontend      the front-end packages
supervisor    the long-running processes of one installation
quickstart    `manage.py quickstart`
suite         `manage.py tests`
commands      which of these a command line needs
"""
