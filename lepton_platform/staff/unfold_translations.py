"""Texts that other packages show on staff pages, listed for `makemessages`.

django-unfold has no Chinese translation. Errors of actions are English sentences.
"""

from django.utils.translation import gettext_noop as _
from django.utils.translation import ngettext_lazy

UNFOLD = (
    _("Add row"),
    _("After you've created a user, you’ll be able to edit more user options."),
    _("All applications"),
    _("Apply Filters"),
    _("Cancel"),
    _("Choose file to upload"),
    _("Click to cancel"),
    _("Click to download"),
    _("Dark"),
    _("Dataset not found. No action performed."),
    _("Date"),
    _("Expand row"),
    _("False"),
    _("Filters"),
    _("General"),
    _("Go back"),
    _("Image preview"),
    _("Light"),
    _("Loading more results..."),
    _("More actions"),
    _("Next"),
    _("No data"),
    _("No recent searches"),
    _("No results found"),
    _("No results matching your query"),
    _("Previous"),
    _(
        "Raw passwords are not stored, so there is no way to see this user’s password, but you can change "
        'the password using <a href="{}" class="text-primary-600 dark:text-primary-500">this form</a>.'
    ),
    _("Recent searches"),
    _("Record picture"),
    _("Reset filters"),
    _("Return to site"),
    _("Run"),
    _("Search apps and models..."),
    _("Select action"),
    _("Select action to run"),
    _("Select all rows"),
    _("Select currency"),
    _("Select record"),
    _("Select value"),
    _("Submit"),
    _("System"),
    _("This item will be deleted."),
    _("This page yielded into no results. Create a new item or reset your filters."),
    _("Toggle password visibility"),
    _("True"),
    _("Type to search"),
    _("Welcome back to"),
    _("You can not create nested object without parent"),
    _("You have been successfully logged out from the administration"),
    ngettext_lazy(
        "\n                Found %(counter)s result in %(time)s seconds\n            ",
        "\n                Found %(counter)s results in %(time)s seconds\n            ",
        "counter",
    ),
)

REFUSALS = (
    _("A name has 1 to 120 characters."),
    _("An address name has 3 to 63 lower-case letters, digits and hyphens, and starts with a letter."),
    _("A currency is three letters, like EUR."),
    _("A time zone is a name like Asia/Shanghai."),
    _("There is no such region."),
    _("The platform does not support this language."),
    _("Only an active tenant can be suspended."),
    _("This tenant is not suspended."),
    _("This e-mail address has an account already."),
)

JURISDICTIONS = (
    _("China (PIPL, DSL)"),
    _("European Union (GDPR, DSA)"),
    _("United States (state privacy acts)"),
)
