export interface Definition {
  readonly name: string
  /** One or two sentences, for action.yml, the CLI's help and the README alike. */
  readonly description: string
  /** What an empty input means; shown to readers. */
  readonly default: string
  /** What stands for the value in the CLI's help. */
  readonly placeholder: string
}

/** A row of the definitions; its name stays a type of its own. */
export const define = <Name extends string>(name: Name, placeholder: string, fallback: string, description: string) =>
  ({ name, placeholder, default: fallback, description }) as const
