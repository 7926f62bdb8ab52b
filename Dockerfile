# countersign in an image that holds the program, the C library it was linked with, and nothing
# else: no shell, no package manager, no user database, no certificate store.
#
#   docker build -t countersign .
#   docker run --rm countersign demo --once
#   docker run --rm -v "$PWD/etc:/etc/countersign:ro" countersign
#
# docs/deployment.md has Compose, Kubernetes and the ownership that mounted keys need.

# The compiler of rust-toolchain.toml; a test compares the two.
FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /src

# For profile-guided optimisation, which builds the program, runs it and builds it again: some
# twelve minutes on two cores, and no layer of dependencies to spare, as these are built twice, too.
RUN rustup component add llvm-tools \
    && apt-get update \
    && apt-get install --yes --no-install-recommends curl python3 \
    && rm -rf /var/lib/apt/lists/*

# The program prints the example and the documents.
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock proxy.toml.example ./
COPY docs docs
COPY schemes schemes
COPY src src
COPY bench/counted.py bench/train.py bench/
COPY scripts/dist scripts/dist
RUN scripts/dist

COPY scripts/image-root scripts/image-root
RUN scripts/image-root target/dist/countersign /image

# A static binary would spare the C library's files, but glibc does not promise that names can be
# looked up from one without its shared parts. So the binary is dynamic, and its libraries come
# from the stage that linked it: there is no base image to keep in step.
FROM scratch
COPY --from=build /image/ /

# A number, because there is no /etc/passwd, and because runAsNonRoot wants to see one.
USER 65532:65532
WORKDIR /etc/countersign

# The ports of proxy.toml.example: forward, gateway, admin.
EXPOSE 8080 8081 8089

# Both signals end it; SIGTERM is what engines send, and it drains.
STOPSIGNAL SIGTERM

# No HEALTHCHECK: a configuration without an admin listener would never be healthy, and engines
# have it set for each container. What to set is ["/countersign", "health"]; docs/deployment.md.
ENTRYPOINT ["/countersign"]
CMD ["run", "/etc/countersign/proxy.toml"]
