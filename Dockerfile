# One image for both: `docker run … oakctl reconciler` and `docker run … oakctl agent`.
#
#   docker build -t oakctl .
#   docker build -t oakctl --build-arg BASE=<an image with Node 20.19 or newer> .
#
# The base brings Node; git is added where it lacks it. Where a build reaches no package registry, build outside of it:
#
#   npm run image:context -- build/image && docker build -t oakctl --build-arg BASE=<base with git> build/image

ARG BASE=node:20-bookworm-slim

FROM ${BASE} AS build
COPY . /out
# A context that has its packages was made by image:context, and is complete.
RUN test -d /out/node_modules || \
      { cd /out && node cli/bin/image-context.mjs /image && cd / && rm -rf /out && mv /image /out; }

FROM ${BASE}
RUN command -v git >/dev/null || { \
      apt-get update && \
      apt-get install -y --no-install-recommends ca-certificates git openssh-client && \
      rm -rf /var/lib/apt/lists/*; \
    }
# ssh wants a name for its user, and the shell of others is named below. The agent is another user of this group.
RUN echo 'oakctl:x:10001:10001::/var/lib/oakctl:/bin/false' >> /etc/passwd && \
    mkdir -p /var/lib/oakctl /run/oakctl && \
    chown 10001:10001 /var/lib/oakctl /run/oakctl && \
    chmod 770 /var/lib/oakctl /run/oakctl
COPY --from=build /out /opt/oakctl
RUN mkdir -p /usr/local/bin && ln -s /opt/oakctl/dist/cli/bin/oakctl.js /usr/local/bin/oakctl
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/var/lib/oakctl \
    OAKCTL_HOME=/var/lib/oakctl \
    OAKCTL_CONTAINER=yes \
    SHELL=/bin/sh \
    NODE_ENV=production
USER 10001:10001
WORKDIR /var/lib/oakctl
EXPOSE 10100 10003
ENTRYPOINT ["oakctl"]
CMD ["--help"]
