# One static binary for all three roles. The role is the first argument:
#   docker run … kinpass serve verifier --data /data …
FROM golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download && go mod verify
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags='-s -w' -o /out/kinpass ./cmd/kinpass

FROM alpine:3.22
# wget and sh of busybox serve the health checks; nothing else is added.
RUN apk add --no-cache ca-certificates && \
    addgroup -g 65532 kinpass && adduser -D -H -u 65532 -G kinpass -s /sbin/nologin kinpass && \
    install -d -o 65532 -g 65532 -m 0700 /data && install -d -o 65532 -g 65532 -m 0755 /trust
COPY --from=build /out/kinpass /usr/local/bin/kinpass
COPY LICENSE /usr/share/licenses/kinpass/LICENSE
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["kinpass"]
CMD ["--help"]
