# The official PostgreSQL image with neon_auth:
#   docker build --build-arg PG_MAJOR=17 --tag postgres-neon-auth:17 .
# Then, in each database: CREATE EXTENSION neon_auth;
ARG PG_MAJOR=17

FROM rust:1.95-slim-bookworm AS rust

FROM postgres:${PG_MAJOR}-bookworm AS build
COPY --from=rust /usr/local/cargo /usr/local/cargo
COPY --from=rust /usr/local/rustup /usr/local/rustup
ENV CARGO_HOME=/usr/local/cargo RUSTUP_HOME=/usr/local/rustup PATH=/usr/local/cargo/bin:$PATH
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates make postgresql-server-dev-${PG_MAJOR} \
    && rm -rf /var/lib/apt/lists/*
# pgrx formats its bindings to PostgreSQL with rustfmt, which the image's toolchain lacks.
RUN rustup component add rustfmt
COPY . /neon_auth
# dev/setup installs the compilers, and cargo-pgrx in the version that Cargo.toml names.
RUN make --directory=/neon_auth install PG_CONFIG=/usr/lib/postgresql/${PG_MAJOR}/bin/pg_config \
    && strip --strip-unneeded /usr/lib/postgresql/${PG_MAJOR}/lib/neon_auth.so

FROM postgres:${PG_MAJOR}-bookworm
# The certificate authorities with which key servers are verified.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/lib/postgresql/${PG_MAJOR}/lib/neon_auth.so /usr/lib/postgresql/${PG_MAJOR}/lib/
COPY --from=build /usr/share/postgresql/${PG_MAJOR}/extension/neon_auth* /usr/share/postgresql/${PG_MAJOR}/extension/
