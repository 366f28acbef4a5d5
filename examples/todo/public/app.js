// The page: loads what the server returns for this user, and shows it. It decides nothing: a button that is missing
// here is also refused by the database or by Better Auth.
import { auth, organizations, Refused, todos, users } from './api.js';

const at = (id) => document.getElementById(id);
const invitationLink = (id) => `${location.origin}/#invitation=${id}`;

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function button(text, label, act, look = 'quiet small') {
  const made = element('button', { type: 'button', className: look, onclick: () => change(act) }, text);
  made.setAttribute('aria-label', label);
  return made;
}

// Replaces the items of a list if they changed. An element with an id keeps the focus.
const shown = new Map();
function items(id, data, item) {
  const text = JSON.stringify(data);
  if (shown.get(id) === text) return;
  shown.set(id, text);
  const focused = document.activeElement?.id;
  at(id).replaceChildren(...data.map(item));
  if (focused) at(focused)?.focus();
}

let current = null;         // the organization whose list is shown; null: the private list
let latest = 0;             // the answers of older requests are stale
let changing = 0;           // clicks whose requests have not ended

const invited = () => new URLSearchParams(location.hash.slice(1)).get('invitation');

async function load() {
  const session = await auth.session();
  if (!session) return { session };
  const [me, rows, lists] = await Promise.all([todos.me(), todos.list(), organizations.list()]);
  const list = lists.some(({ id }) => id === current) ? current : null;
  const id = invited();
  const [whole, everybody, invitation] = await Promise.all([
    list && organizations.whole(list),
    session.user.role === 'admin' ? users.list() : [],
    id && organizations.invitation(id).catch(({ message }) => ({ message })),
  ]);
  return { session, me, rows, lists, list, whole, everybody, invitation };
}

async function refresh() {
  const turn = ++latest;
  let state;
  try {
    state = await load();
  } catch (error) {
    if (turn !== latest) return;
    if (error.status !== 401) throw error;
    state = { session: null };
    at('problem').textContent = error.message;
  }
  if (turn === latest) show(state);
}

// Runs what a click asks for, and shows what is so afterwards.
async function change(act) {
  changing += 1;
  latest += 1;
  at('message').textContent = '';
  at('problem').textContent = '';
  try {
    at('message').textContent = (await act()) ?? '';
  } catch (error) {
    at('problem').textContent = error.message;
    shown.clear();      // a box that was ticked in vain becomes what it was
  }
  changing -= 1;
  await refresh().catch(lost);
}

function lost(error) {
  at('problem').textContent = error instanceof Refused ? error.message : `The server cannot be reached: ${error.message}`;
}

function show({ session, me, rows, lists, list, whole, everybody, invitation }) {
  document.body.ariaBusy = 'false';
  if (!session && !at('signed-in').hidden) at('message').textContent = 'You are signed out.';
  if (!session && invited()) at('message').textContent = 'Sign in or sign up to see the invitation.';
  at('account').hidden = at('signed-in').hidden = !session;
  at('signed-out').hidden = Boolean(session);
  if (!session) {
    for (const id of shown.keys()) at(id).replaceChildren();
    shown.clear();
    return;
  }
  current = list;
  at('who').textContent = session.user.name;

  items('lists', [{ id: null, name: 'Private', current }, ...lists.map(({ id, name }) => ({ id, name, current }))], ({ id, name }) => {
    const made = element('button', { type: 'button', id: `list-${id}`, onclick: () => { current = id; change(() => null); } }, name);
    if (id === current) made.setAttribute('aria-current', 'true');
    return element('li', {}, made);
  });

  at('list-title').textContent = whole?.name ?? 'Private';
  at('list-note').textContent = whole ? 'All members see these todos.' : 'Only you see these todos.';
  const here = rows.filter((todo) => todo.organization_id === current);
  at('empty').hidden = here.length > 0;
  items('todos', here, (todo) => {
    const box = element('input', { type: 'checkbox', id: `done-${todo.id}`, checked: todo.done,
      onchange: () => change(() => todos.tick(todo.id, box.checked)) });
    const made = element('li', {}, element('label', {}, box, element('span', {}, todo.task)));
    if (todo.organization_id) made.append(element('span', { className: 'tag' }, todo.author ?? 'former member'));
    if (todo.may_remove) made.append(button('Remove', `Remove ${todo.task}`, () => todos.remove(todo.id)));
    return made;
  });

  at('organization').hidden = !whole;
  const mine = whole?.members.find(({ userId }) => userId === session.user.id)?.role;
  const leads = mine === 'owner' || mine === 'admin';
  at('invite').hidden = !leads;
  items('members', (whole?.members ?? []).map(({ id, userId, role, user }) => ({ id, userId, role, name: user.name, leads })), (member) => {
    const { id, userId, role, name } = member;
    const made = element('li', {}, element('span', {}, name), element('span', { className: 'tag' }, role));
    if (leads && userId !== session.user.id && role !== 'owner') {
      const [text, next] = role === 'admin' ? ['Make member', 'member'] : ['Make admin', 'admin'];
      made.append(
        button(text, `${text}: ${name}`, () => organizations.setRole(current, id, next).then(() => null)),
        button('Remove', `Remove ${name} from the organization`, () => organizations.remove(current, id).then(() => null), 'bad small'));
    }
    return made;
  });
  const pending = leads ? whole.invitations.filter(({ status }) => status === 'pending') : [];
  items('invitations', pending.map(({ id, email }) => ({ id, email })), ({ id, email }) =>
    element('li', {}, element('span', {}, `${email} is invited. Send this link: `, element('code', {}, invitationLink(id)))));

  at('invitation').hidden = !invitation;
  at('accept').hidden = at('reject').hidden = !invitation?.id;
  at('invitation-text').textContent = invitation?.message ?? (invitation
    ? `${invitation.inviterEmail} invites you to ${invitation.organizationName}.` : '');
  at('accept').onclick = () => change(async () => {
    await organizations.accept(invitation.id);
    current = invitation.organizationId;
    history.replaceState(null, '', '/');
    return `You are a member of ${invitation.organizationName} now.`;
  });
  at('reject').onclick = () => change(async () => {
    await organizations.reject(invitation.id);
    history.replaceState(null, '', '/');
  });

  at('site').hidden = session.user.role !== 'admin';
  items('users', everybody.map(({ id, name, email, banned }) => ({ id, name, email, banned })), ({ id, name, email, banned }) => {
    const made = element('li', {}, element('span', {}, `${name} (${email})`));
    if (banned) made.append(element('span', { className: 'tag' }, 'banned'));
    if (id !== session.user.id) {
      made.append(banned
        ? button('Unban', `Unban ${name}`, () => users.unban(id).then(() => `${name} may sign in again.`))
        : button('Ban', `Ban ${name}`, () => users.ban(id).then(() => `${name} is banned.`), 'bad small'));
    }
    return made;
  });

  items('facts', Object.entries(me), ([name, value]) => {
    const made = document.createDocumentFragment();
    made.append(element('dt', {}, name), element('dd', {}, Array.isArray(value) ? value.join(', ') || 'none' : String(value)));
    return made;
  });
}

// Forms: `act` gets the fields.
function form(id, act) {
  at(id).addEventListener('submit', (event) => {
    event.preventDefault();
    change(async () => {
      const said = await act(Object.fromEntries(new FormData(event.target)));
      event.target.reset();
      return said;
    });
  });
}
form('sign-in', (fields) => auth.signIn(fields).then(() => null));
form('sign-up', (fields) => auth.signUp(fields).then(() => null));
form('add', ({ task }) => todos.add(task, current).then(() => null));
form('new-organization', async ({ name }) => { current = (await organizations.create(name)).id; });
form('invite', ({ email }) => organizations.invite(current, email).then(() => `Send the link below to ${email}.`));
at('sign-out').onclick = () => change(async () => {
  await auth.signOut();
  current = null;
});

// What others do shows within seconds.
function poll() {
  if (!changing) refresh().catch(lost);
}
addEventListener('hashchange', poll);
addEventListener('focus', poll);
setInterval(() => { if (!document.hidden && !at('signed-in').hidden) poll(); }, 3000);
poll();
