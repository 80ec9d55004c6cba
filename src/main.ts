import { main } from './action'

void main()
