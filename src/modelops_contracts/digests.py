"""Every identity and every seed, computed in one place.

Ids that leave this module are public: stored results, journals and other people's scripts hold
them. A formula is therefore never edited; a new one gets a new prefix.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b, sha256
from typing import Protocol

from modelops_contracts.errors import ContractViolationError
from modelops_contracts.formats import WIRE_VERSION

__all__ = [
    "WIRE_VERSION",
    "agg_key",
    "aggregation_id",
    "aggregation_task_id",
    "bundle12",
    "canonical_json",
    "canonical_task_id",
    "common_replicate_seed",
    "common_study_seed",
    "confirm_seed",
    "digest_bytes",
    "environment_digest",
    "file_sha256",
    "is_hex64",
    "make_param_id",
    "plain_json",
    "replicate_seed",
    "rescore_seed",
    "scenario_digest",
    "sim_key",
    "study_seed",
    "trial_seed",
]

_PLAIN_LEAVES = frozenset({bool, int, float, str, type(None)})
_HEX64 = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20


class TaskFields(Protocol):
    """What :func:`canonical_task_id` reads from a task."""

    @property
    def bundle_ref(self) -> str: ...
    @property
    def entrypoint(self) -> str: ...
    @property
    def params(self) -> _HasParamId: ...
    @property
    def seed(self) -> int: ...
    @property
    def outputs(self) -> tuple[str, ...] | None: ...
    @property
    def config(self) -> Mapping[str, object] | None: ...
    @property
    def env(self) -> Mapping[str, object] | None: ...


class _HasParamId(Protocol):
    @property
    def param_id(self) -> str: ...


# ---------------------------------------------------------------- canonical JSON


def canonical_json(obj: object) -> bytes:
    """The one JSON text of a value: sorted keys, no spaces, UTF-8, Python's float repr.

    Tuples read as lists, mappings of any kind as objects; whole-number keys become text.
    Raises ContractViolationError for NaN, infinities, mixed-type keys and any other type.
    """
    try:
        prepared = obj if _is_plain(obj) else plain_json(obj)
        return _ENCODER.encode(prepared).encode("utf-8")
    except (ValueError, RecursionError) as error:  # UnicodeEncodeError is a ValueError
        raise ContractViolationError(f"not representable as canonical JSON: {error}") from error


_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"), check_circular=False
)


def _is_plain(obj: object) -> bool:
    """True for what the C encoder may take as it is: exact built-in types with text keys."""
    kind = type(obj)
    if kind in _PLAIN_LEAVES:
        return True
    if isinstance(obj, dict):
        return kind is dict and all(
            type(key) is str and (type(value) in _PLAIN_LEAVES or _is_plain(value))
            for key, value in obj.items()
        )
    return isinstance(obj, list | tuple) and all(_is_plain(item) for item in obj)


def plain_json(obj: object, path: str = "$") -> object:
    """The value as dicts, lists and scalars that canonical_json would write.

    Raises ContractViolationError, naming the path, for anything it cannot hold.
    """
    if obj is None or isinstance(obj, bool | int | float | str):
        return obj
    if isinstance(obj, Mapping):
        return _plain_mapping(obj, path)
    if isinstance(obj, list | tuple):
        return [plain_json(item, f"{path}[{i}]") for i, item in enumerate(obj)]
    raise ContractViolationError(
        f"{path}: {type(obj).__name__} is not representable as canonical JSON",
        hint="allowed: bool, int, float, str, None, lists and objects of them",
    )


def _plain_mapping(obj: Mapping[object, object], path: str) -> dict[str, object]:
    kinds = {_key_kind(key, path) for key in obj}
    if len(kinds) > 1:
        raise ContractViolationError(f"{path}: keys of mixed types: text and whole numbers")
    return {str(key): plain_json(value, f"{path}.{key}") for key, value in _text_items(obj)}


def _text_items(obj: Mapping[object, object]) -> Iterable[tuple[str, object]]:
    for key, value in obj.items():
        # An enum with text values must not print as "Colour.RED".
        yield (str.__str__(key) if isinstance(key, str) else int.__repr__(_as_int(key))), value


def _as_int(key: object) -> int:
    assert isinstance(key, int)
    return key


def _key_kind(key: object, path: str) -> type:
    if isinstance(key, str):
        return str
    if isinstance(key, int) and not isinstance(key, bool):
        return int
    raise ContractViolationError(f"{path}: key {key!r} must be text, not {type(key).__name__}")


# ---------------------------------------------------------------- digests and public ids


def digest_bytes(data: bytes) -> str:
    """BLAKE2b of 32 bytes as 64 lower-case hex digits."""
    return blake2b(data, digest_size=32).hexdigest()


def file_sha256(path: str | os.PathLike[str]) -> str:
    """``sha256:<hex>`` of a file's bytes. Raises OSError when it cannot be read."""
    digest = sha256()
    with open(path, "rb") as stream:  # noqa: PTH123  (accepts any path-like)
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def is_hex64(text: object) -> bool:
    """True for 64 lower-case hex digits."""
    return isinstance(text, str) and _HEX64.fullmatch(text) is not None


def make_param_id(params: Mapping[str, object]) -> str:
    """Id of a parameter set, over the values as they are: ``1``, ``1.0`` and ``True`` differ.

    Values are brought to their declared kind before they get here.
    """
    return digest_bytes(b"contracts:param:v1|" + canonical_json(params))


def canonical_task_id(task: TaskFields) -> str:
    """32 hex digits that name one simulation of one bundle."""
    fields = f"{task.bundle_ref}|{task.entrypoint}|{task.params.param_id}|{task.seed}"
    if task.outputs is None and task.config is None and task.env is None:
        return _hex16(f"sim:v1|{fields}".encode())
    extras = {"config": task.config, "env": task.env, "outputs": task.outputs}
    return _hex16(f"sim:v2|{fields}|".encode() + canonical_json(extras))


def _hex16(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def aggregation_id(target: str, task_ids: Iterable[str]) -> str:
    """The older 16-digit id of an aggregation, kept for readers of old data."""
    return _hex16(_aggregation_text(target, task_ids))[:16]


def aggregation_task_id(target: str, task_ids: Iterable[str]) -> str:
    """The 16-digit id of an aggregation that is written today."""
    return digest_bytes(_aggregation_text(target, task_ids))[:16]


def _aggregation_text(target: str, task_ids: Iterable[str]) -> bytes:
    return f"{target}:{','.join(sorted(task_ids))}".encode()


def bundle12(ref: str) -> str:
    """The first 12 characters of a bundle reference's digest, for people to read."""
    after_at = ref.rpartition("@")[2]
    head, colon, tail = after_at.partition(":")
    return (tail if colon else head)[:12]


def environment_digest(
    *,
    python: str,
    platform: str,
    dependencies: Mapping[str, str],
    container: str | None,
    cuda: str | None,
    rng: str,
    threads: int,
) -> str:
    """Digest of a software environment."""
    fields = {
        "python": python,
        "platform": platform,
        "deps": sorted([name, version] for name, version in dependencies.items()),
        "container": container,
        "cuda": cuda,
        "rng": rng,
        "threads": threads,
    }
    return digest_bytes(b"contracts:env:v1|" + canonical_json(fields))


def scenario_digest(
    *,
    name: str,
    param_patches: Mapping[str, object],
    config_patches: Mapping[str, object],
    conflict_policy: str,
    allow_overlap: Iterable[str] | None,
) -> str:
    """16 hex digits of a scenario's meaning; its documentation does not count."""
    fields = {
        "name": name,
        "param_patches": param_patches,
        "config_patches": _leaves_as_text(config_patches),
        "conflict_policy": conflict_policy,
        "allow_overlap": None if allow_overlap is None else sorted(allow_overlap),
    }
    return digest_bytes(canonical_json(fields))[:16]


def _leaves_as_text(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _leaves_as_text(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_leaves_as_text(item) for item in value]
    isoformat = getattr(value, "isoformat", None)
    return str(isoformat()) if callable(isoformat) else str(value)


# ---------------------------------------------------------------- storage keys


def sim_key(
    *,
    code: str,
    entrypoint: str,
    scenario: str,
    config: Mapping[str, object] | None,
    params: Mapping[str, object],
    seed: int,
    outputs: Sequence[str] | None,
    env: str,
    wire: int = WIRE_VERSION,
) -> str:
    """Key under which one simulation is stored: 64 hex digits over all that can change its result.

    ``code`` and ``env`` are digests; ``params`` are already normalised by kind. An empty config
    means none, and outputs are a set: their order does not count.
    """
    fields = {
        "code": code,
        "entrypoint": entrypoint,
        "scenario": scenario,
        "config": config or None,
        "params": dict(params),
        "seed": seed,
        "outputs": sorted(set(outputs)) if outputs else None,
        "env": env,
        "wire": wire,
    }
    return digest_bytes(b"modelops:sim:v2|" + canonical_json(fields))


def agg_key(
    *,
    target: str,
    policy: Mapping[str, object],
    weights: Mapping[str, object],
    sim_keys: Sequence[str],
) -> str:
    """Key of one evaluation: the target's digest (code and data), how it is scored, of what."""
    fields = {
        "target": target,
        "policy": policy,
        "weights": weights,
        "sim_keys": sorted(sim_keys),
    }
    return digest_bytes(b"modelops:agg:v2|" + canonical_json(fields))


# ---------------------------------------------------------------- seeds


def study_seed(param_id: str, replicate: int) -> int:
    """Seed of a study's replicate, in [0, 2^32)."""
    return _seed64(f"{param_id}:{replicate}") % 2**32


def common_study_seed(base_seed: int, replicate: int) -> int:
    """The same for every parameter set: common random numbers across a study."""
    return study_seed(f"common:{base_seed}", replicate)


def trial_seed(param_id: str, base_seed: int) -> int:
    """Seed of a calibration trial, in [0, 2^31)."""
    return _calibration_seed(f"{param_id}:trial", base_seed)


def replicate_seed(param_id: str, base_seed: int, replicate: int) -> int:
    """Seed of a calibration trial's replicate."""
    return _calibration_seed(f"{param_id}:replicate:{replicate}", base_seed)


def common_replicate_seed(base_seed: int, replicate: int) -> int:
    """Replicate seed that every trial shares: common random numbers across a calibration."""
    return _calibration_seed(f"common:replicate:{replicate}", base_seed)


def rescore_seed(base_seed: int, replicate: int) -> int:
    """Fresh seed for choosing among the best trials."""
    return _calibration_seed(f"rescore:{replicate}", base_seed)


def confirm_seed(base_seed: int, replicate: int) -> int:
    """Fresh seed for the score that is reported."""
    return _calibration_seed(f"confirm:{replicate}", base_seed)


def _calibration_seed(namespace: str, base_seed: int) -> int:
    return _seed64(f"{namespace}{base_seed}") & 0x7FFFFFFF


def _seed64(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
