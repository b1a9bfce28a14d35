# A Tallac node. One volume, /data, holds its configuration, its identity and the shares it stores.
#
#     docker build -t tallac .
#     docker run -d --name storage -p 3457:3457 -v /mnt/shares:/data -e TALLAC_HOSTNAME=storage.example.org tallac
#
# With the shares on a volume of their own and nothing else writable, a mount that is missing is noticed:
#
#     docker run -d --name storage --read-only -p 3457:3457 -v node:/data -v /mnt/shares:/shares \
#       -e TALLAC_STORAGE=/shares -e TALLAC_HOSTNAME=storage.example.org tallac

FROM node:20-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc tsconfig.json tsconfig.product.json ./
COPY src src
COPY storage storage
COPY introducer introducer
COPY scripts/bundle-commands.ts scripts/bundle-commands.ts
RUN npm ci --ignore-scripts && npm run build:product && npm prune --omit=dev --ignore-scripts

FROM node:20-bookworm-slim
ENV NODE_ENV=production TALLAC_DIRECTORY=/data
WORKDIR /opt/tallac
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
COPY deploy/entrypoint.sh /usr/local/bin/tallac-entrypoint
RUN ln -s /opt/tallac/dist/src/cli/main.js /usr/local/bin/tallac \
 && ln -s /opt/tallac/dist/src/cli/main.js /usr/local/bin/tahoe \
 && chmod 755 /opt/tallac/dist/src/cli/main.js /usr/local/bin/tallac-entrypoint \
 && install -d -o node -g node -m 700 /data /shares
USER node
VOLUME /data
# 3457: the storage port. The gateway (3456) listens inside the container only.
EXPOSE 3457
STOPSIGNAL SIGTERM
# Asks /readyz of the gateway inside: whether the node serves and its disk answers.
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s \
  CMD ["tallac", "-q", "-d", "/data", "health"]
ENTRYPOINT ["tallac-entrypoint"]
