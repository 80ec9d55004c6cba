import * as core from '@actions/core'
import { utils } from 'ssh2'
jest.mock('@actions/core')
test('x', () => { expect(utils.parseKey).toBeDefined(); expect(jest.isMockFunction(core.info)).toBe(true) })
