import { post } from './action'

void post()
