// What an application calls Better Auth's tables and columns, and Better Auth's options that say so.
import { LINE } from './server.mjs';

/** The column of an API key's owner. */
export const KEY_OWNER = LINE === '1.4' ? 'userId' : 'referenceId';

const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

// Table names in the plural and columns in snake_case, as many applications have them.
const PLURAL = {
    user: 'users', session: 'sessions', account: 'accounts', verification: 'verifications', jwks: 'jwks',
    organization: 'organizations', member: 'members', invitation: 'invitations', team: 'teams',
    teamMember: 'team_members', organizationRole: 'organization_roles', apikey: 'api_keys',
};

// Names that nobody can guess; add_better_auth is told them.
const RENAMED = {
    user: ['people', { name: 'fullName', email: 'mail', emailVerified: 'mailIsVerified', createdAt: 'joined' }],
    session: ['logins', { expiresAt: 'validUntil', token: 'bearer', userId: 'person', activeOrganizationId: 'company' }],
    apikey: ['credentials', { key: 'digest', [KEY_OWNER]: 'holder', enabled: 'live', remaining: 'uses', expiresAt: 'endsAt', permissions: 'rights' }],
    jwks: ['signingKeys', { publicKey: 'jwk', expiresAt: 'retiresAt' }],
    organization: ['companies', { name: 'title' }],
    member: ['staff', { organizationId: 'company', userId: 'person', role: 'position' }],
    team: ['crews', { organizationId: 'company' }],
    teamMember: ['crewMembers', { teamId: 'crew', userId: 'person' }],
    organizationRole: ['positions', { organizationId: 'company', permission: 'statements' }],
};

// The columns that are renamed, by model; those that a plugin adds to user and session included.
const COLUMNS = {
    user: ['emailVerified', 'createdAt', 'updatedAt', 'banReason', 'banExpires', 'isAnonymous'],
    session: ['expiresAt', 'createdAt', 'updatedAt', 'ipAddress', 'userAgent', 'userId', 'impersonatedBy',
        'activeOrganizationId', 'activeTeamId'],
    account: ['accountId', 'providerId', 'userId', 'accessToken', 'refreshToken', 'idToken', 'accessTokenExpiresAt',
        'refreshTokenExpiresAt', 'createdAt', 'updatedAt'],
    verification: ['expiresAt', 'createdAt', 'updatedAt'],
    jwks: ['publicKey', 'privateKey', 'createdAt', 'expiresAt'],
    apikey: [KEY_OWNER, 'refillInterval', 'refillAmount', 'lastRefillAt', 'rateLimitEnabled', 'rateLimitTimeWindow', 'rateLimitMax',
        'requestCount', 'lastRequest', 'expiresAt', 'createdAt', 'updatedAt'],
    organization: ['createdAt'],
    member: ['organizationId', 'userId', 'createdAt'],
    invitation: ['organizationId', 'teamId', 'expiresAt', 'createdAt', 'inviterId'],
    team: ['memberCount', 'organizationId', 'createdAt', 'updatedAt'],
    teamMember: ['teamId', 'userId', 'membershipKey', 'createdAt'],
    organizationRole: ['organizationId', 'createdAt', 'updatedAt'],
};

const STYLES = {
    default: { models: {}, names: {} },
    snake: {
        models: Object.fromEntries(Object.entries(PLURAL).map(([model, modelName]) => [model, {
            modelName,
            fields: Object.fromEntries(COLUMNS[model].map((column) => [column, snake(column)])),
        }])),
        names: {},
    },
    renamed: {
        models: Object.fromEntries(Object.entries(RENAMED).map(([model, [modelName, fields]]) => [model, { modelName, fields }])),
        names: Object.fromEntries(Object.entries(RENAMED).map(([model, [table, columns]]) => [model, { table, ...columns }])),
    },
};

export class Names {
    constructor(style) {
        this.models = STYLES[style].models;
        this.style = style;
    }

    /** The argument `names` of add_better_auth, of the tables that exist. */
    told(models) {
        return Object.fromEntries(Object.entries(STYLES[this.style].names).filter(([model]) => models.includes(model)));
    }

    table(model) {
        return `"${this.models[model]?.modelName ?? model}"`;
    }

    column(model, column) {
        return `"${this.models[model]?.fields?.[column] ?? column}"`;
    }

    /** Replaces {model} and {model.column} in a statement. */
    in(statement) {
        return statement.replace(/\{(\w+)(?:\.(\w+))?\}/g, (_, model, column) =>
            column ? this.column(model, column) : this.table(model));
    }

    /** The option of a core table. */
    of(model) {
        return this.models[model] ?? {};
    }

    /** The option `schema` of a plugin that has these models. */
    schema(...models) {
        return Object.fromEntries(models.filter((model) => this.models[model]).map((model) => [model, this.models[model]]));
    }
}
