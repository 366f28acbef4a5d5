"""How much of everything a whole run measures, as far as the page names it."""

# Revocations and API keys beside the one that is used.
REVOCATIONS = 100_000
API_KEYS = 100_000
# Backends of the same kind beside the one whose memory is measured.
OTHERS = 9
# Seconds in which strangers arrive.
STRANGERS = 30
# Databases with workers.
DATABASES = 20
# Users that are loaded into the mirror, and memberships; and users of a synchronisation.
LOADED = 1_000_000
SYNCHRONISED = 100_000
# The least and the most users of a synchronisation, to that number.
LEAST, MOST = 0.1, 10
# Clients and live tokens of a pooler.
CLIENTS = 50
LIVE = [50, 1_000, 10_000]
