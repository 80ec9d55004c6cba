# A Raspberry Pi in a container: pi-qemu and all that a boot needs. See docs/container-image.md.
#
#   docker build -t pi-qemu .
#   docker run --rm -it -p 2222:2222 pi-qemu boot raspios-lite-arm64:bookworm
#
# Any Debian (or Ubuntu) with Node 20 and QEMU 9 in its packages will do as the base.
ARG BASE=debian:trixie-slim
FROM ${BASE}

# In this order: to start at all; to emulate; to read and change images; to unpack them; to build images and fetch kernels
# from Debian's packages; to log in; for `network: tap`.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
      ca-certificates nodejs tini \
      qemu-system-arm qemu-utils \
      device-tree-compiler e2fsprogs fdisk mtools \
      gzip libarchive-tools xz-utils zstd \
      cpio debian-archive-keyring dosfstools kmod mmdebstrap \
      openssh-client openssl \
      dnsmasq-base iproute2 \
 && rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log \
 && useradd --uid 1000 --create-home --shell /bin/sh pi-qemu \
 && install -d -o pi-qemu -g pi-qemu /cache /work

COPY dist/cli/ /opt/pi-qemu/
RUN ln -s /opt/pi-qemu/index.js /usr/local/bin/pi-qemu

# Images, and the disks of Pis that are up. PI_QEMU_CONTAINER: `boot` listens where ports are published from.
ENV PI_QEMU_HOME=/cache PI_QEMU_CONTAINER=1
VOLUME /cache
WORKDIR /work
USER pi-qemu
EXPOSE 2222

# As process 1 Node would neither bury orphans nor be ended by a signal before it listens to it.
ENTRYPOINT ["tini", "--", "pi-qemu"]
CMD ["boot"]
