# The image of a bitcoind on regtest (Bitcoin Knots, from Debian's packages), and of what sets the stack up with it.
#
# A base image that has the programs already is taken as it is.

ARG BITCOIND_BASE_IMAGE=debian:sid-slim

FROM ${BITCOIND_BASE_IMAGE} AS bitcoind
RUN if ! command -v bitcoind; then \
      apt-get update && apt-get install -y --no-install-recommends bitcoin-knots && rm -rf /var/lib/apt/lists/*; \
    fi \
 && useradd --uid 1000 --home-dir /var/lib/bitcoin --no-create-home --shell /usr/sbin/nologin node \
 && install -d -m 700 -o node -g node /var/lib/bitcoin
USER node
VOLUME /var/lib/bitcoin
WORKDIR /var/lib/bitcoin
EXPOSE 18443
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=6 \
  CMD ["bitcoin-cli", "-datadir=/var/lib/bitcoin", "-regtest", "getblockchaininfo"]
ENTRYPOINT ["bitcoind", "-datadir=/var/lib/bitcoin", "-regtest"]

FROM bitcoind AS setup
USER root
RUN if ! command -v curl || ! command -v jq; then \
      apt-get update && apt-get install -y --no-install-recommends curl jq && rm -rf /var/lib/apt/lists/*; \
    fi
COPY docker/setup /usr/local/bin/setup
USER node
HEALTHCHECK NONE
ENTRYPOINT ["setup"]
