/** Version of this package; a contract test holds it equal to package.json. */
export const oakctlVersion = '0.1.0';
