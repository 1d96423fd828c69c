"""Virtual time is counted in whole seconds; the refreshers move in steps of it."""

# Fine enough to fall on every edge, coarse enough for situations to come again (see life.Memory).
STEP = 5
MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
YEAR = 365 * DAY
TOKEN_LIFE = 12 * HOUR
