// Every subject on every application of the installed line of Better Auth. APPLICATIONS names some of them.
import { after, before, describe } from 'node:test';
import { Application } from './application.mjs';
import { APPLICATIONS } from './applications.mjs';
import { LINE } from './server.mjs';
import administration from './administration.mjs';
import apiKeys from './api_keys.mjs';
import keys from './keys.mjs';
import organizations from './organizations.mjs';
import sessions from './sessions.mjs';
import setup from './setup.mjs';
import teams from './teams.mjs';
import tokens from './tokens.mjs';
import users from './users.mjs';

const asked = process.env.APPLICATIONS?.split(' ').filter(Boolean) ?? [];
for (const settings of APPLICATIONS[LINE].filter(({ name }) => asked.length === 0 || asked.includes(name))) {
    describe(`Better Auth ${LINE}, ${settings.name}`, () => {
        const application = new Application(settings);
        before(() => application.start());
        after(() => application.stop());
        const subjects = { setup, users, sessions };
        if (settings.plugins !== 'none') Object.assign(subjects, { keys, tokens, administration, organizations });
        if (settings.plugins === 'all') Object.assign(subjects, { teams, apiKeys });
        for (const [subject, tests] of Object.entries(subjects)) describe(subject, () => tests(application));
    });
}
