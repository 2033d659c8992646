"""Names of the formats inside an artifact."""

from __future__ import annotations

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER_TAR = "application/vnd.oci.image.layer.v1.tar"
LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
BUNDLE = "application/vnd.modelops.bundle.v2"
FORMAT_ONE = "application/vnd.modelops.bundle.index.v1+json"
RAW = "application/octet-stream"
PUSH = "application/vnd.modelops.push.v1"
EMPTY = "application/vnd.oci.empty.v1+json"
EMPTY_DIGEST = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

FORMAT_KEY = "org.modelops.format"
CONTENT_KEY = "org.modelops.content"
ENVIRONMENT_KEY = "org.modelops.environment"
BUNDLE_KEY = "org.modelops.bundle"
TAG_KEY = "org.opencontainers.image.ref.name"
