# The daemon and its companion command in a small Debian image: no compiler, no root.
# Build it with ./dev image; the flags of a hardened run are in deploy/README.md.

FROM docker.io/library/debian:bookworm-slim AS build
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        gcc libc6-dev cmake ninja-build pkg-config libmicrohttpd-dev libjansson-dev libpng-dev \
        nettle-dev libopenblas-pthread-dev zlib1g-dev libsqlite3-dev libcurl4-gnutls-dev \
        libjpeg62-turbo-dev libwebp-dev liblmdb-dev libjs-chart.js \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cmake --preset release -DEBM_TESTS=OFF \
    && cmake --build --preset release \
    && strip build/release/bin/ebmd build/release/bin/ebm \
    && chmod -R a+rX models

FROM docker.io/library/debian:bookworm-slim
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        libmicrohttpd12 libjansson4 libpng16-16 libnettle8 libopenblas0-pthread libsqlite3-0 \
        libcurl3-gnutls zlib1g libjpeg62-turbo libwebp7 liblmdb0 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/apt /var/log/dpkg.log
COPY --from=build /src/build/release/bin/ebmd /src/build/release/bin/ebm /usr/bin/
COPY --from=build /src/models/fashion-mnist /usr/share/ebmd/models/fashion-mnist
COPY LICENSE /usr/share/doc/ebmd/copyright
# a volume mounted here takes its owner
RUN install -d -m 0700 -o 65532 -g 65532 /var/lib/ebmd
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
    CMD ["/usr/bin/ebm", "probe", "--url", "http://127.0.0.1:8081/healthz"]
# defaults of the image, as variables: flags and other values of these take their place one by one
ENV EBMD_LISTEN=0.0.0.0:8080 EBMD_MODELS=/usr/share/ebmd/models EBMD_STORE=memory
# workers are the threads; the library would start one for each CPU of the machine
ENV OPENBLAS_NUM_THREADS=1
ENTRYPOINT ["/usr/bin/ebmd"]
