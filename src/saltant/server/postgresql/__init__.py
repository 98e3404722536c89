"""Django's backend for PostgreSQL, but for how it finds out that a kept connection has died."""
