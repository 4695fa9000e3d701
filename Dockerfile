# One image for every process of the shop; Compose, Kubernetes or ECS choose the command.
# Written for the classic builder too: no RUN --mount, no here-documents.
ARG PYTHON_IMAGE=python:3.11.15-slim-bookworm

# --- build: the locked packages in an environment of their own, and the source compiled ---
FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_RETRIES=10 PIP_ROOT_USER_ACTION=ignore

# The packages change rarely, the source often: the lock alone decides about this layer.
# Wheels only: nothing is compiled here, so no compiler is needed at all.
COPY requirements.lock /build/
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install \
        --require-hashes --no-deps --only-binary=:all: -r /build/requirements.lock

WORKDIR /app
COPY common_lib common_lib
COPY user_service user_service
COPY catalog_service catalog_service
COPY order_service order_service
COPY notification_service notification_service
COPY gateway gateway
COPY shop shop
COPY storefront storefront
COPY deploy/container container
COPY docs/problems.md docs/problems.md
COPY localstack-init.sh ./
RUN /opt/venv/bin/python -m compileall -q .

# --- final: interpreter, packages, source; no pip in the environment, no build tools ---
FROM ${PYTHON_IMAGE} AS final
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    INIT_PYTHON=/opt/venv/bin/python

# A fixed uid, so that volumes and pod security policies can name it. The directories exist here
# so that fresh volumes mounted over them belong to that user.
RUN groupadd --gid 10001 shop \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /app --shell /usr/sbin/nologin shop \
    && install -d -o 10001 -g 10001 -m 0700 /keys/service /keys/tokens /keys/edge /data

COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app

WORKDIR /app
USER 10001:10001
STOPSIGNAL SIGTERM
CMD ["python", "-m", "gateway.main"]

# Last, because they differ from build to build.
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ecommerce-platform" \
      org.opencontainers.image.description="User, catalog, order and notification service, gateway and workers" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
