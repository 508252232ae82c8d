"""Defects of images, looks and what is known of items that nobody chose."""

from __future__ import annotations

from tests.defects.seeds import Seed

PICTURES, LOOKING = "tests/data/test_images.py", "tests/training/test_image_embeddings.py"
VIDEOS, READER = "tests/data/test_videos.py", "tests/data/test_video_reader.py"
UNMET = "tests/recommender/algorithms/test_untrained_items.py"

IMAGE_SEEDS = (
    Seed(
        "an image of any number of pixels is read",
        "tenants/data/media/images.py",
        "if image.width * image.height > MAX_PIXELS or max(image.size) > MAX_SIDE:",
        "if max(image.size) > MAX_SIDE * 4:",
        PICTURES,
    ),
    Seed(
        "an image may be of another type than it says",
        "tenants/data/media/images.py",
        "        if actual != expected:\n",
        "        if not actual:\n",
        PICTURES,
    ),
    Seed(
        "an image keeps its metadata",
        "tenants/data/media/images.py",
        'image.save(out, "JPEG", quality=88)',
        'image.save(out, "JPEG", quality=88, comment=b"a secret word")',
        PICTURES,
    ),
    Seed(
        "a damaged image is an error of ours",
        "tenants/data/media/images.py",
        "        except Exception as error:\n",
        "        except ZeroDivisionError as error:\n",
        PICTURES,
    ),
    Seed(
        "every frame of a moving image is looked at",
        "tenants/data/media/images.py",
        "MAX_FRAMES, MAX_ANIMATED_PIXELS = 200, 32_000_000",
        "MAX_FRAMES, MAX_ANIMATED_PIXELS = 10**7, 10**12",
        PICTURES,
    ),
    Seed(
        "greys of an image with sixteen bits are cut off",
        "tenants/data/media/images.py",
        'if not image.mode.startswith("I"):',
        'if not image.mode.startswith("J"):',
        PICTURES,
    ),
    Seed(
        "every frame of a video is looked at",
        "tenants/data/media/videos.py",
        "MAX_FRAMES, MAX_PIXELS = 900, 2_000_000_000",
        "MAX_FRAMES, MAX_PIXELS = 10**7, 10**12",
        VIDEOS,
    ),
    Seed(
        "a video that was cut short is taken",
        "tenants/data/media/videos.py",
        "    if not container.is_whole(content):\n",
        "    if not content:\n",
        VIDEOS,
    ),
    Seed(
        "what decodes a video may open files",
        "tenants/data/media/video_decoder.py",
        "resource.RLIMIT_NOFILE: (3, 3),",
        "resource.RLIMIT_NOFILE: (64, 64),",
        READER,
    ),
    Seed(
        "what decodes a video knows our secrets",
        "tenants/data/media/videos.py",
        "env=_build_environment(container),",
        "env={**os.environ, **_build_environment(container)},",
        READER,
    ),
    Seed(
        "what decodes a video is believed",
        "tenants/data/media/videos.py",
        "if not is_valid or len(output) != _HEADER.size + n_frames * frame_bytes:",
        "if not is_valid:",
        READER,
    ),
    Seed(
        "the web process loads what decodes videos",
        "tenants/data/media/videos.py",
        "import fcntl\n",
        "import fcntl\nimport cv2\n",
        "tests/serving/test_no_torch.py",
    ),
    Seed(
        "an image that was replaced keeps its old vector",
        "tenants/data/actions/images.py",
        "    s.cursor().execute(_DELETE_EMBEDDING, (s.tenant_id, number))\n",
        "",
        f"{LOOKING}::test_only_changed_images_are_embedded_again",
    ),
    Seed(
        "the vector of an image that changed meanwhile is stored",
        "tenants/data/actions/image_embeddings.py",
        "AND g.item_no = t.n AND g.updated_at = t.a",
        "AND g.item_no = t.n AND t.a IS NOT NULL",
        f"{LOOKING}::test_an_embedding_of_a_replaced_image_is_not_stored",
    ),
    Seed(
        "one unreadable image stops the looking",
        "recommender/features/image_encoder.py",
        "            except DataError:\n                unreadable.append(position)",
        "            except ZeroDivisionError:\n                unreadable.append(position)",
        f"tests/recommender/features/test_image_encoder.py {LOOKING}::test_an_unreadable_image_does_not_block_others",
    ),
    Seed(
        "the image network pads on the wrong side",
        "recommender/features/efficientnet_onnx.py",
        'auto_pad="SAME_UPPER"',
        'auto_pad="SAME_LOWER"',
        "tests/recommender/features/test_image_encoder.py",
    ),
    Seed(
        "images are looked at again and again",
        "tenants/data/queries/image_embeddings.py",
        "WHERE g.tenant_id = %s AND g.item_no > %s AND i.live AND l.encoder IS DISTINCT FROM %s",
        "WHERE g.tenant_id = %s AND g.item_no > %s AND i.live AND %s <> ''",
        f"{LOOKING}::test_only_changed_images_are_embedded_again",
    ),
    Seed(
        "serving does not hear of the images of new items",
        "tenants/data/actions/image_embeddings.py",
        "    catalog.touch_items(s, numbers)\n",
        "",
        f"{LOOKING}::test_a_new_item_is_recommended_by_its_image_before_the_next_training",
    ),
    Seed(
        "an item without an image looks like all others",
        "recommender/algorithms/content/visual_similarity.py",
        "        reduced[~embeddings.any(axis=1)] = 0\n",
        "",
        UNMET,
    ),
    Seed(
        "the vectors of a saved look are rounded otherwise than in memory",
        "recommender/algorithms/content/visual_similarity.py",
        "np.concatenate(batches).astype(np.float16).astype(np.float32)",
        "np.concatenate(batches)",
        "tests/recommender/algorithms/test_untrained_items.py tests/recommender/algorithms/test_recommender_contract.py",
    ),
    Seed(
        "a network places items that nobody chose by chance",
        "recommender/algorithms/sequential/base.py",
        "        if len(self._untrained_items):\n",
        "        if len(self._untrained_items) > self.items:\n",
        UNMET,
    ),
    Seed(
        "a stated link counts as much when all items have it",
        "recommender/algorithms/content/triple_similarity.py",
        "np.log((1 + len(triple_tokens)) / (1 + counts)) + 1",
        "np.log((1 + len(triple_tokens)) / (1 + counts * 0)) + 1",
        UNMET,
    ),
    Seed(
        "ties of cold items count for the target",
        "recommender/benchmarks/cold_start.py",
        "np.asarray((scores >= target_scores).sum(axis=1) - 1, dtype=np.int64)",
        "np.asarray((scores > target_scores).sum(axis=1), dtype=np.int64)",
        "tests/recommender/benchmarks/test_cold_start.py",
    ),
    Seed(
        "a hidden item is still learned from",
        "recommender/benchmarks/cold_start.py",
        "    train = last_out.train.filter_events(~is_cold[last_out.train.item])\n",
        "    train = last_out.train\n",
        "tests/recommender/benchmarks/test_cold_start.py",
    ),
)

KNOWLEDGE_SEEDS = (
    Seed(
        "a rule may read what is never a feature",
        "recommender/serving/rules/validation.py",
        "    for denied in find_denied_names(rule, denials):\n",
        "    for denied in find_denied_names(rule, DeniedAttributes(())):\n",
        "tests/api/test_knowledge.py",
    ),
    Seed(
        "a rule may ask for an attribute that nobody has",
        "recommender/serving/rules/validation.py",
        "names is not None and name not in names:",
        "names is not None and not name:",
        "tests/api/test_knowledge.py",
    ),
    Seed(
        "a rule that was allowed once speaks on",
        "recommender/serving/rules/matching.py",
        "    if filters.items is None or find_denied_names(rule, denials):\n",
        "    if filters.items is None:\n",
        "tests/serving/test_rules_and_triples.py",
    ),
    Seed(
        "rules ask about somebody who refused",
        "recommender/serving/user_context.py",
        "    if refusal:\n        return _build_anonymous_context(session, refusal)\n    user",
        "    if refusal:\n        user = _build_anonymous_context(session, refusal)\n"
        "        return replace(user, profile=profiles.load_profiles(s, [profile_key]).get(profile_key))\n    user",
        "tests/serving/test_rules_and_triples.py",
    ),
    Seed(
        "a rule never gives way to what is learned",
        "recommender/serving/scoring.py",
        "    return PRIOR_EVENTS / (PRIOR_EVENTS + n_events)",
        "    return 1.0",
        "tests/serving/test_rules_and_triples.py",
    ),
    Seed(
        "a stated triple about no item is taken",
        "tenants/data/actions/knowledge.py",
        "        if triple.head not in item_numbers:\n",
        "        if not triple.head:\n",
        "tests/api/test_knowledge.py",
    ),
    Seed(
        "a change of stated rules is not noticed",
        "recommender/serving/snapshot/loading.py",
        "    if snapshot.tenant_rules.version == version:\n",
        "    if snapshot.tenant_rules.version or snapshot.tenant_rules.version == version:\n",
        "tests/serving/test_rules_and_triples.py",
    ),
)
