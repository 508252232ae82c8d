"""The phases of a training job and the percentages of the job that they cover.

The names are stored in the job and shown in the portal.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase runs from `start_percent` to `end_percent` of the job."""

    name: str
    start_percent: float
    end_percent: float


START = Phase("start", 0, 0)
READING_EVENTS = Phase("reading events", 0, 10)
EMBEDDING_IMAGES = Phase("embedding images", 10, 14)
READING_REVIEWS = Phase("reading reviews", 14, 20)
TUNING = Phase("tuning", 20, 32)
TRAINING = Phase("training", 20, 70)
TRAINING_AFTER_TUNING = Phase("training", 32, 70)
EVALUATING = Phase("evaluating", 70, 75)
REFITTING = Phase("refitting on all data", 75, 93)
# A refresh trains for fewer epochs, so that the last refit is a larger part of it.
REFRESH_TRAINING = Phase("training", 20, 60)
REFRESH_EVALUATING = Phase("evaluating", 60, 70)
REFRESH_REFITTING = Phase("refitting on all data", 70, 93)
PACKAGING = Phase("publishing", 93, 99)
PUBLISHING = Phase("publishing", 98, 99)
