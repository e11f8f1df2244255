# The image of boltgram: a node, or the devnet that stands before a bitcoind.
#
#   docker build -f docker/boltgram.Dockerfile -t boltgram .          compiles it, at the top of the repository
#   docker build -f docker/boltgram.Dockerfile --target ready ...     takes docker/bin/boltgram, which is there already
#
# Behind a proxy that inspects TLS: --build-arg EXTRA_CA="$(cat ca.pem)".

ARG BASE_IMAGE=debian:bookworm-slim
ARG BUILDER_IMAGE=rust:1.95-bookworm

FROM ${BASE_IMAGE} AS base
ARG EXTRA_CA=
RUN if ! command -v update-ca-certificates; then \
      apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*; \
    fi \
 && if [ -n "$EXTRA_CA" ]; then \
      printf '%s\n' "$EXTRA_CA" > /usr/local/share/ca-certificates/extra.crt && update-ca-certificates; \
    fi \
 && useradd --uid 1000 --home-dir /var/lib/boltgram --no-create-home --shell /usr/sbin/nologin boltgram \
 && install -d -m 700 -o boltgram -g boltgram /var/lib/boltgram
USER boltgram
ENV BOLTGRAM_DATA_DIR=/var/lib/boltgram
VOLUME /var/lib/boltgram
WORKDIR /var/lib/boltgram
# Lightning, gRPC, HTTP.
EXPOSE 9735 8881 8882
# In order: messages under way are waited for, the channel state is written last. Give it 30 s.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=6 CMD ["boltgram", "health"]
ENTRYPOINT ["boltgram"]
CMD ["node"]

FROM base AS ready
COPY docker/bin/boltgram /usr/local/bin/boltgram

FROM ${BUILDER_IMAGE} AS builder
ARG EXTRA_CA=
RUN if [ -n "$EXTRA_CA" ]; then \
      printf '%s\n' "$EXTRA_CA" > /usr/local/share/ca-certificates/extra.crt && update-ca-certificates; \
    fi
WORKDIR /source
COPY . .
RUN cargo build --release --locked && mv target/release/boltgram /usr/local/bin/boltgram && rm -rf target

FROM base AS compiled
COPY --from=builder /usr/local/bin/boltgram /usr/local/bin/boltgram
