"""unfold's decorators with type annotations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.utils.functional import Promise
from unfold.dataclasses import ActionDialog
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

F = TypeVar("F", bound=Callable[..., Any])


def display_column(
    description: str | Promise,
    *,
    ordering: Any = None,
    header: bool | None = None,
    label: bool | Mapping[str, str] | None = None,
) -> Callable[[F], F]:
    """Marks a method of an admin class as a column or field; the parameters are those of unfold's `display`."""
    decorate: Callable[[F], F] = display(
        description=description, ordering=ordering, header=header, label=label
    )
    return decorate


def confirm_action(
    description: str | Promise,
    *,
    path: str,
    icon: str,
    variant: ActionVariant,
    question: Any,
    consequence: Any,
    form: type[BaseDialogForm],
) -> Callable[[F], F]:
    """Marks a method of an admin class as an action of a row's page that a dialog confirms.

    Args:
        description: The label of the button.
        path: The last part of the action's address.
        icon: The icon of the button.
        variant: The colour of the button.
        question: The title of the dialog.
        consequence: The text of the dialog.
        form: The form of the dialog, which the method receives filled in.
    """
    dialog = ActionDialog(
        title=question, description=consequence, form_class=form, form_submit_text=description
    )
    decorate: Callable[[F], F] = action(
        description=description, url_path=path, icon=icon, variant=variant, dialog=dialog
    )
    return decorate
