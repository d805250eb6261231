# docker build -t voxhall .
# docker run --network host -v voxhall:/data -e VOXHALL_CORE_SECRET=.. voxhall
# Host network: a container's own address is none that a client could reach, and each packet would
# pass two more tables.
FROM rust:1-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /data --create-home voxhall
COPY --from=build /src/target/release/voxhall /usr/local/bin/voxhall
USER voxhall
ENV VOXHALL_DATA_DIR=/data
VOLUME /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["voxhall"]
CMD ["serve"]
