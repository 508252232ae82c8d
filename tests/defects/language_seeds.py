"""Defects of reading reviews."""

from __future__ import annotations

from tests.defects.seeds import Seed

TRAINING, OPINIONS = "tests/training/test_reviews.py", "tests/language/test_opinions.py"
ASPECTS, TEXTS = "tests/language/test_aspects.py", "tests/language/test_texts.py"
SENTIMENT, READING = "tests/language/test_sentiment.py", "tests/language/test_reading.py"
COMMANDS, NETWORK = "tests/language/test_language_commands.py", "tests/language/test_network.py"

LANGUAGE_SEEDS = (
    Seed(
        "a single review shows through an opinion",
        "recommender/language/opinions.py",
        "for item, rows in by_item.items() if len(rows) >= least}",
        "for item, rows in by_item.items() if rows}",
        OPINIONS,
    ),
    Seed(
        "one person's aspect shows through an opinion",
        "recommender/language/opinions.py",
        "        if len(signs) >= least\n",
        "        if signs\n",
        OPINIONS,
    ),
    Seed(
        "one person counts as many in an opinion",
        "recommender/voices.py",
        'b"p" + stored.profile_key if stored.profile_key else b"r" + stored.key',
        'b"r" + stored.key',
        f"{TRAINING}::test_four_people_are_too_few_however_much_they_write",
    ),
    Seed(
        "reviews of who refused become opinions",
        "recommender/voices.py",
        "if one.profile_key is None or (one.profile_key in self._asked) is self._opt_in",
        "if one.profile_key is None or one.profile_key",
        f"{TRAINING}::test_reviews_of_who_refused_are_not_read",
    ),
    Seed(
        "a denied aspect becomes an opinion",
        "recommender/voices.py",
        "gathered(self.voices, until=until).without(self.denied)",
        "gathered(self.voices, until=until)",
        f"{TRAINING}::test_an_aspect_that_a_space_denies_is_neither_feature_nor_reason",
    ),
    Seed(
        "opinions of the future judge the past",
        "recommender/language/opinions.py",
        "if until is not None and voice.at > until:",
        "if until is not None and voice.at > until + 10**12:",
        f"{TRAINING}::test_what_was_written_later_is_left_out_of_the_past",
    ),
    Seed(
        "all reviews of a moment are read however many",
        "recommender/voices.py",
        "while reading.stored < expected and (part := next(newest, None)):",
        "while part := next(newest, None):",
        f"{TRAINING}::test_of_reviews_that_came_at_one_moment_no_more_are_read_than_asked_for",
    ),
    Seed(
        "opinions stay out of the model",
        "recommender/training/sealing.py",
        "Bundle(served, known.source.item_no, known.opinions)",
        "Bundle(served, known.source.item_no)",
        f"{TRAINING}::test_the_published_model_holds_counts_and_not_a_word_of_a_review",
    ),
    Seed(
        "the praise of a review is not told in Chinese",
        "recommender/serving/praise.py",
        "shown = _(NAMES[name]) if name in NAMES else name",
        "shown = name",
        f"{TRAINING}::test_praise_of_five_people_becomes_a_reason_in_both_languages",
    ),
    Seed(
        "a negation of an opinion is not heard",
        "recommender/language/lexicon.py",
        "-sign if turned else sign",
        "sign",
        ASPECTS,
    ),
    Seed(
        "a clause takes the opinion of its neighbour",
        "recommender/language/aspects.py",
        "    for clause in clauses(text):\n",
        "    for clause in [text]:\n",
        ASPECTS,
    ),
    Seed(
        "a review of a megabyte is read whole",
        "recommender/language/texts.py",
        "text[:_RAW_LIMIT])[:MOST_CHARACTERS]",
        "text)",
        TEXTS,
    ),
    Seed(
        "any review is taken for English",
        "recommender/language/texts.py",
        'return "en" if english > foreign else None',
        'return "en"',
        TEXTS,
    ),
    Seed(
        "a sentiment head reads vectors of another encoder",
        "recommender/language/sentiment.py",
        "if encoder is None or encoder.name != self.card.encoder:",
        "if encoder is not None and encoder.name != self.card.encoder:",
        SENTIMENT,
    ),
    Seed(
        "a reading of a review loses its place",
        "recommender/language/reading.py",
        "                found[row] = reading\n",
        "                found[rows[0]] = reading\n",
        READING,
    ),
    Seed(
        "a held-out tenth of reviews is learned from",
        "recommender/language/corpora.py",
        "return np.sort(order[cut:]), np.sort(order[:cut])",
        "return np.sort(order), np.sort(order[:cut])",
        "tests/language/test_corpora.py",
    ),
    Seed(
        "the network reads padding",
        "recommender/language/network_training.py",
        'functional.layer_norm(wide, wide.shape[-1:], of["wide_gain"], of["wide_bias"], EPSILON) * there',
        'functional.layer_norm(wide, wide.shape[-1:], of["wide_gain"], of["wide_bias"], EPSILON)',
        NETWORK,
    ),
    Seed(
        "the graph reads runs one piece too late",
        "recommender/language/network_export.py",
        "np.array([0, LEFT[run], 0, 0, run - 1 - LEFT[run], 0], np.int64)",
        "np.array([0, 0, 0, 0, run - 1, 0], np.int64)",
        NETWORK,
    ),
    Seed(
        "the network begins from nothing",
        "recommender/language/network_training.py",
        '            f"first{run}": of.w1[place],',
        '            f"first{run}": of.w1[place] * 0,',
        NETWORK,
    ),
    Seed(
        "a network forgets what another learned",
        "recommender/language/network_training.py",
        "load(start.weights) if start else encoder_weights(rng)",
        "encoder_weights(rng)",
        NETWORK,
    ),
    Seed(
        "a network is not kept with its head",
        "recommender/language/sentiment.py",
        "        if self.network is not None:\n            arrays",
        "        if self.network is None and False:\n            arrays",
        NETWORK,
    ),
    Seed(
        "a network is not asked",
        "recommender/language/sentiment.py",
        "        if self.network is not None and texts:",
        "        if self.network is not None and not texts:",
        NETWORK,
    ),
    Seed(
        "chance comes from nowhere",
        "recommender/language/network_training.py",
        "        torch.manual_seed(int(rng.integers(2**31)))",
        "        torch.seed()",
        NETWORK,
    ),
    Seed(
        "the end of a long review is not read",
        "recommender/language/pieces.py",
        "np.concatenate([numbers[: MOST_PIECES // 2], numbers[-MOST_PIECES // 2 :]])",
        "numbers[:MOST_PIECES]",
        NETWORK,
    ),
)
