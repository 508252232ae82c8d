"""Defects of the cryptography, of what is bound, and of what lies at rest."""

from __future__ import annotations

from tests.defects.seeds import Seed

_AEAD = "tenants/crypto/aead.py"
_CONTEXT = "tenants/crypto/associated_data.py"
_HANDLES_PY = "tenants/crypto/handles.py"
_KEYRING = "tenants/crypto/keyring.py"
_LOCAL = "tenants/crypto/kms/local.py"
_STREAMS = "tenants/crypto/streams.py"
_WRAPPING = "tenants/crypto/wrapping.py"

_AT_REST = "tests/isolation/test_plaintext_at_rest.py"
_BINDING = "tests/crypto/test_binding.py"
_HANDLES = "tests/crypto/test_handles.py"
_KEY_FILE = "tests/crypto/test_local_key_file.py"
_NONCES = "tests/crypto/test_nonces.py"
_ROWS = "tests/isolation/test_swapped_rows.py"
_SERVICES = "tests/crypto/test_key_services.py"
_SWAPS = "tests/crypto/test_swaps.py"

_REFUSES_PICKLE = """
    def __reduce_ex__(self, protocol: SupportsIndex) -> Never:
        raise TypeError(f"{type(self).__name__} cannot be pickled or copied.")

    def __reduce__(self) -> Never:
        raise TypeError(f"{type(self).__name__} cannot be pickled or copied.")
"""
_INDENT = " " * 16
_PLACE = "".join(
    f"{_INDENT}{component},\n"
    for component in ("CELL", "region", "tenant", "purpose", "table", "column", "encode_key_id(key_id)")
)

CRYPTO_SEEDS = (
    Seed(
        "associated data is empty",
        _CONTEXT,
        "    return bytes(encoded)\n",
        '    return b""\n',
        _SWAPS,
    ),
    Seed(
        "associated data has no borders",
        _CONTEXT,
        'encoded += len(raw).to_bytes(_LENGTH_BYTES, "big") + raw',
        "encoded += raw",
        _BINDING,
    ),
    Seed(
        "the suite byte is ignored",
        _AEAD,
        "decryptor = self._decryptors.get(blob[:HEADER_BYTES])",
        "decryptor = self._decryptors.get(MAGIC + AES_256_GCM_SIV + blob[3:HEADER_BYTES])",
        _SWAPS,
    ),
    Seed(
        "a cut value is another kind of error",
        _AEAD,
        "        except (InvalidTag, ValueError):\n            raise DecryptionFailed from None\n\n    def seal_many",
        "        except InvalidTag:\n            raise DecryptionFailed from None\n\n    def seal_many",
        _SWAPS,
    ),
    Seed(
        "the nonce is constant",
        _AEAD,
        "        nonce = urandom(NONCE_BYTES)\n",
        "        nonce = bytes(NONCE_BYTES)\n",
        _NONCES,
    ),
    Seed(
        "forked processes draw the same nonces",
        _AEAD,
        "from os import urandom\n",
        "from random import Random\n\nurandom = Random().randbytes\n",
        _NONCES,
    ),
    Seed(
        "the nonces of a batch are one",
        _AEAD,
        "nonces = urandom(NONCE_BYTES * len(plaintexts))",
        "nonces = urandom(NONCE_BYTES) * len(plaintexts)",
        _NONCES,
    ),
    Seed(
        "an error tells the key",
        _WRAPPING,
        "    except (InvalidTag, ValueError):\n        raise DecryptionFailed from None",
        "    except (InvalidTag, ValueError):\n        raise DecryptionFailed(kek.reveal_material().hex()) from None",
        _SWAPS,
    ),
    Seed(
        "a wrapped key is not bound to its place",
        _CONTEXT,
        "return encode_associated_data(WRAP, *components)",
        "return encode_associated_data(WRAP)",
        _SWAPS,
    ),
    Seed(
        "a wrapped key may have no place",
        _WRAPPING,
        "    if not context:\n",
        "    if context is None:\n",
        "tests/crypto/test_wrapping.py",
    ),
    Seed(
        "the last chunk of a stream looks like any other",
        _STREAMS,
        'return number.to_bytes(8, "big") + (b"\\x01" if is_last else b"\\x00")',
        'return number.to_bytes(8, "big")',
        _SWAPS,
    ),
    Seed(
        "chunks of a stream have no number",
        _STREAMS,
        'return number.to_bytes(8, "big") + (b"\\x01" if is_last else b"\\x00")',
        'return b"\\x01" if is_last else b"\\x00"',
        _SWAPS,
    ),
    Seed(
        "chunks of two sealings of a file are alike",
        _STREAMS,
        "        encoded_key_id,\n        stream_id,\n    )",
        "        encoded_key_id,\n    )",
        _SWAPS,
    ),
    Seed(
        "a stream is not bound to its file",
        _STREAMS,
        "        stream_context.version,\n        stream_context.name,\n",
        "        stream_context.version,\n",
        _SWAPS,
    ),
    Seed(
        "a stream is not bound to its model",
        _STREAMS,
        "        stream_context.version,\n        stream_context.name,\n",
        "        stream_context.name,\n",
        _SWAPS,
    ),
    Seed(
        "a stream is not bound to its tenant",
        _STREAMS,
        "        keyring.region,\n        keyring.tenant,\n",
        "        keyring.region,\n",
        _SWAPS,
    ),
    Seed(
        "a stream is not bound to its region",
        _STREAMS,
        "        keyring.region,\n        keyring.tenant,\n",
        "        keyring.tenant,\n",
        _SWAPS,
    ),
    Seed(
        "a key can be printed",
        _HANDLES_PY,
        'return f"<{type(self).__name__}>"',
        'return f"<{[getattr(self, name) for name in self.__slots__]}>"',
        _HANDLES,
    ),
    Seed(
        "a key can be pickled",
        _HANDLES_PY,
        _REFUSES_PICKLE,
        "",
        _HANDLES,
    ),
    Seed(
        "keys are compared",
        _HANDLES_PY,
        'raise TypeError("Keys are not compared.")',
        "return self is other",
        _HANDLES,
    ),
    Seed(
        "a short key is a key",
        _HANDLES_PY,
        "if len(material) != KEY_BYTES:",
        "if len(material) > KEY_BYTES:",
        _HANDLES,
    ),
    Seed(
        "a retired key seals",
        _KEYRING,
        "        if entry.is_primary:\n            self._primary_key_ids[entry.purpose] = entry.key_id",
        "        self._primary_key_ids.setdefault(entry.purpose, entry.key_id)",
        _BINDING,
    ),
    Seed(
        "a hashing key seals",
        _KEYRING,
        '        if purpose in HASHING_PURPOSES:\n            raise ValueError("A hashing key seals nothing.")\n',
        "",
        "tests/crypto/test_pseudonyms.py",
    ),
    Seed(
        "kinds of pseudonyms are not kept apart",
        "tenants/crypto/pseudonyms.py",
        "state.update(bytes([len(label)]) + label)",
        'state.update(b"")',
        "tests/crypto/test_pseudonyms.py",
    ),
    Seed(
        "a key file may be read by everybody",
        _LOCAL,
        "if os.fstat(file.fileno()).st_mode & 0o077:",
        "if os.fstat(file.fileno()).st_mode & 0o022:",
        _KEY_FILE,
    ),
    Seed(
        "a lost key file is replaced in silence",
        _LOCAL,
        'the lost ones wrapped."""\n        roots = self._read_keys()',
        'the lost ones wrapped."""\n        self.create_key_file()\n        roots = self._read_keys()',
        _KEY_FILE,
    ),
    Seed(
        "a new root key is readable for a moment",
        _LOCAL,
        "mode=PRIVATE_MODE)",
        "mode=0o644)",
        _KEY_FILE,
    ),
    Seed(
        "AWS is not told the context",
        "tenants/crypto/kms/aws.py",
        "Plaintext=secret,\n                EncryptionContext=dict(context)",
        "Plaintext=secret,\n                EncryptionContext={}",
        _SERVICES,
    ),
    Seed(
        "Vault is not told the context",
        "tenants/crypto/kms/vault.py",
        "_encode_base64(encode_mapping(context))",
        '""',
        _SERVICES,
    ),
    Seed(
        "a stored chunk is bound to its profile only",
        "tenants/data/records.py",
        "return profile_key + _SEQ.pack(seq)",
        "return profile_key",
        _ROWS,
    ),
    Seed(
        "item bodies are bound to no row",
        "tenants/data/queries/catalog.py",
        "return _ROW_ID.pack(item_no)",
        "return _ROW_ID.pack(0)",
        _ROWS,
    ),
    Seed(
        "reviews are not sealed",
        "tenants/data/actions/reviews.py",
        "    sealed = reviews.get_review_cipher(s.ref).seal_many(bodies, keys)\n",
        "    sealed = bodies\n",
        _AT_REST,
    ),
    *(
        Seed(
            f"a sealed value is not bound to its {what}",
            _AEAD,
            _PLACE,
            _PLACE.replace(f"{_INDENT}{component},\n", ""),
            _SWAPS,
        )
        for what, component in (
            ("region", "region"),
            ("tenant", "tenant"),
            ("purpose", "purpose"),
            ("table", "table"),
            ("column", "column"),
            ("key id", "encode_key_id(key_id)"),
        )
    ),
)
