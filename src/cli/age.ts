export { ageOf } from '../http/kubernetes/age.ts';
