# Thousands in groups of three, as Chinese figures are written; Django's own format has groups of none.
NUMBER_GROUPING = 3
THOUSAND_SEPARATOR = ","
