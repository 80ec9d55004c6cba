/** What an expression of a workflow can be. */
export type Value = string | number | boolean | null | { readonly [name: string]: Value }

/** What expressions look names up in: `steps`, `matrix`, `github`, … */
export type Contexts = Readonly<Record<string, Value>>

/** Functions without side effects that an expression may call, by their names in lower case. */
export type Functions = Readonly<Record<string, (...values: readonly Value[]) => Value>>

const pattern = /\s*(?:('(?:[^']|'')*')|(-?\d+(?:\.\d+)?)|([A-Za-z_][\w-]*)|(&&|\|\||==|!=|[!()[\].,]))/y

/**
 * Evaluates the text between `${{` and `}}`, as far as workflows of ours need it: literals, contexts, calls, `!`, `==`,
 * `!=`, `&&`, `||` and parentheses. A property that is not there is null, as in the runner.
 * @throws on what is no expression, and on a context or function that does not exist here
 */
export function evaluateExpression(text: string, contexts: Contexts, functions: Functions = {}): Value {
  const parser = new Parser(tokens(text), contexts, functions)
  return parser.whole()
}

/** Replaces every `${{ … }}` in a text. */
export function interpolate(text: string, contexts: Contexts, functions: Functions = {}): string {
  return text.replace(/\$\{\{(.*?)\}\}/gs, (_, inner: string) => asText(evaluateExpression(inner, contexts, functions)))
}

/** Whether a condition counts as true. */
export const isTruthy = (value: Value): boolean => value !== null && value !== '' && value !== 0 && value !== false

function asText(value: Value): string {
  if (value === null) return ''
  if (typeof value === 'object') throw new Error('an object has no text')
  return String(value)
}

function tokens(text: string): readonly string[] {
  const found: string[] = []
  const rest = text.trimEnd()
  const scanner = new RegExp(pattern)
  while (scanner.lastIndex < rest.length) {
    const at = scanner.lastIndex
    const match = scanner.exec(rest)
    if (match === null) throw new Error(`no expression: ${rest.slice(at)}`)
    found.push(match[0].trim())
  }
  return found
}

/** The runner compares texts without regard to case, and values of different kinds as numbers. */
function areEqual(a: Value, b: Value): boolean {
  if (typeof a === 'string' && typeof b === 'string') return a.toLowerCase() === b.toLowerCase()
  if (typeof a === typeof b && a !== null && b !== null) return a === b
  return number(a) === number(b)
}

function number(value: Value): number {
  if (value === null || value === '') return 0
  return typeof value === 'object' ? NaN : Number(value)
}

class Parser {
  private at = 0

  constructor(
    private readonly list: readonly string[],
    private readonly contexts: Contexts,
    private readonly functions: Functions
  ) {}

  whole(): Value {
    const value = this.or()
    if (this.at < this.list.length) throw new Error(`no expression: ${this.list.slice(this.at).join(' ')}`)
    return value
  }

  private take(token: string): boolean {
    if (this.list[this.at] !== token) return false
    this.at++
    return true
  }

  private next(): string {
    const token = this.list[this.at++]
    if (token === undefined) throw new Error(`the expression ends too early: ${this.list.join(' ')}`)
    return token
  }

  private or(): Value {
    let value = this.and()
    while (this.take('||')) {
      const right = this.and()
      value = isTruthy(value) ? value : right
    }
    return value
  }

  private and(): Value {
    let value = this.equality()
    while (this.take('&&')) {
      const right = this.equality()
      value = isTruthy(value) ? right : value
    }
    return value
  }

  private equality(): Value {
    let value = this.unary()
    for (;;) {
      if (this.take('==')) value = areEqual(value, this.unary())
      else if (this.take('!=')) value = !areEqual(value, this.unary())
      else return value
    }
  }

  private unary(): Value {
    return this.take('!') ? !isTruthy(this.unary()) : this.access()
  }

  private access(): Value {
    let value = this.primary()
    for (;;) {
      let name: string
      if (this.take('.')) name = this.next()
      else if (this.take('[')) {
        name = asText(this.or())
        if (!this.take(']')) throw new Error('`]` is missing')
      } else return value
      value = typeof value === 'object' && value !== null ? (value[name] ?? null) : null
    }
  }

  private primary(): Value {
    const token = this.next()
    if (token === '(') {
      const value = this.or()
      if (!this.take(')')) throw new Error('`)` is missing')
      return value
    }
    if (token.startsWith("'")) return token.slice(1, -1).replaceAll("''", "'")
    if (/^-?\d/.test(token)) return Number(token)
    if (token === 'true' || token === 'false') return token === 'true'
    if (token === 'null') return null
    if (this.take('(')) return this.call(token)
    const context = this.contexts[token]
    if (context === undefined) throw new Error(`there is no context \`${token}\` here`)
    return context
  }

  private call(name: string): Value {
    const values: Value[] = []
    while (!this.take(')')) {
      values.push(this.or())
      this.take(',')
    }
    const found = this.functions[name.toLowerCase()]
    if (found === undefined) throw new Error(`there is no function \`${name}\` here`)
    return found(...values)
  }
}
