import { define, type Definition } from './define'

/** Inputs of user mode that need a container engine. */
export const containerDefinitions = [
  define(
    'container',
    'IMAGE',
    '',
    "Only with `mode: user`: container image to run the script in, with Docker or Podman: a name (`debian:bookworm`), an archive of `docker save` or in OCI's form, or a `rootfs.tar`. Its platform is `platforms`, by default `linux/arm64`."
  ),
  define(
    'build',
    'DIR',
    '',
    'Only with `mode: user`: folder to build an image from with Docker Buildx, for all of `platforms` (default: `linux/arm64`).'
  ),
  define('file', 'FILE', '', 'Dockerfile of `build`. Default: `Dockerfile` in its folder.'),
  define('tags', 'NAME', '', 'Names of the image that `build` makes, one per line.'),
  define(
    'build-args',
    'NAME[=VALUE]',
    '',
    'Values for `ARG` in the Dockerfile, one per line; `NAME` passes the variable on. They stay in the image: give secrets in `secrets`.'
  ),
  define(
    'secrets',
    'SECRET',
    '',
    'Secrets that `RUN --mount=type=secret` sees, one per line as Buildx takes them: `id=token,env=TOKEN` or `id=key,src=key.pem`.'
  ),
  define('target', 'STAGE', '', 'Stage of the Dockerfile to build. Default: the last.'),
  define('push', 'true|false', 'false', 'Push what `build` made to the registry that `tags` name.'),
  define('load', 'true|false', 'false', "Put what `build` made among the engine's images."),
  define(
    'outputs',
    'OUTPUT',
    '',
    'Other places for what `build` made, one per line as Buildx takes them: `type=oci,dest=app.tar`, `type=local,dest=out`.'
  ),
  define(
    'cache-from',
    'CACHE',
    '',
    "Caches that `build` reads, one per line as Buildx takes them: `type=gha` is the job's, `type=registry,ref=…`."
  ),
  define('cache-to', 'CACHE', '', 'Caches that `build` fills, one per line: `type=gha,mode=max`.'),
  define(
    'builder',
    'NAME',
    '',
    "Buildx builder to use. Default: the current one, or one of the run's own where that cannot do what is asked for."
  )
] as const satisfies readonly Definition[]

/** Those of them that take several values. */
export const containerListInputs = ['build-args', 'cache-from', 'cache-to', 'outputs', 'secrets', 'tags'] as const
