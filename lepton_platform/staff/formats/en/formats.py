# Days before months and the clock of twenty-four hours, as everywhere on our own pages.
DATE_FORMAT = "j M Y"
DATETIME_FORMAT = "j M Y, H:i"
