"""Users of the pages: their names, roles and passwords."""

from __future__ import annotations

from peewee import BigIntegerField, BooleanField, CharField, IntegrityError

from models.people import passwords
from models.people.sessions import PageSession
from models.store import audit, clock
from models.store.base import Row, change, retried
from models.store.errors import Conflict, Invalid, NotFound
from models.store.texts import code_form, is_one_line

VIEWER, OPERATOR, ADMIN = "viewer", "operator", "admin"
ROLES = (VIEWER, OPERATOR, ADMIN)
"""Each may do what those before it may."""
NAME_LENGTH = 64
SUBJECT_LENGTH = 255


class PageUser(Row):
    """Keep one person; `password` is an argon2 digest, "" where none has been set.

    `form` is the name as names are compared, `subject` is who a log-in service says it is.
    Times are Unix seconds. A user is disabled rather
    than deleted: what the person changed stays under the name.
    """

    name = CharField(max_length=NAME_LENGTH)
    form = CharField(max_length=96, unique=True)
    role = CharField(max_length=16)
    password = CharField(max_length=255, default="")
    enabled = BooleanField(default=True)
    subject = CharField(max_length=SUBJECT_LENGTH, null=True, unique=True)
    created_at = BigIntegerField()
    seen_at = BigIntegerField(null=True)

    def may(self, role: str) -> bool:
        """Tell whether this person may do what a role may."""
        return ROLES.index(self.role) >= ROLES.index(role)


@retried
def add(name: str, role: str, password: str | None = None) -> PageUser:
    """Make a user, without a password one who needs an invitation.

    Raises Invalid for a name, role or password that cannot be, Conflict when the name is taken.
    """
    form = code_form(name) or ""
    if not form or len(name) > NAME_LENGTH or name != name.strip() or not is_one_line(name):
        raise Invalid(f"A name is one line of 1 to {NAME_LENGTH} characters", "name")
    _check_role(role)
    digest = passwords.digest(password, name) if password is not None else ""
    try:
        with change():
            user = PageUser.create(
                name=name, form=form, role=role, password=digest, created_at=clock.now()
            )
            audit.note("made", "user", user.id, name, after={"role": role})
            return user
    except IntegrityError as problem:
        raise Conflict(f"There is a user {name} already", "name_taken") from problem


def by_name(name: str) -> PageUser:
    """Return a user. Raises NotFound."""
    user = PageUser.get_or_none(PageUser.form == (code_form(name) or ""))
    if user is None:
        raise NotFound(f"There is no user {name}", "user_not_found")
    return user


def by_id(user_id: int) -> PageUser:
    """Return a user. Raises NotFound."""
    user = PageUser.get_or_none(PageUser.id == user_id)
    if user is None:
        raise NotFound(f"There is no user {user_id}", "user_not_found")
    return user


def listed() -> list[PageUser]:
    """Return all users in the order they were made."""
    return list(PageUser.select().order_by(PageUser.id))


def exist() -> bool:
    """Tell whether there is any user."""
    return bool(PageUser.select().exists())


def authenticated(name: str, password: str) -> PageUser | None:
    """Return the enabled user of this name and password, else None after as much work.

    Raises Crowded when too many ask at once.
    """
    user = PageUser.get_or_none(PageUser.form == (code_form(name) or ""))
    right = passwords.verify(user.password if user else "", password)
    if not right or user is None or not user.enabled:
        return None
    if passwords.is_outdated(user.password):
        PageUser.update(password=passwords.digest(password)).where(PageUser.id == user.id).execute()
    return user


def set_password(user: PageUser, password: str) -> None:
    """Set a password and end all sessions. Raises Invalid for one that cannot be."""
    keep_password(user.id, passwords.digest(password, user.name))


@retried
def keep_password(user_id: int, digest: str) -> None:
    """Keep the digest of a password, "" for none, and end all sessions."""
    with change():
        PageUser.update(password=digest).where(PageUser.id == user_id).execute()
        action = "password set" if digest else "password forgotten"
        audit.note(action, "user", user_id, by_id(user_id).name)
        PageSession.delete().where(PageSession.user_id == user_id).execute()


@retried
def known_elsewhere(subject: str, name: str, role: str) -> PageUser:
    """Return the user that a log-in service vouches for, made where there is none, in this role.

    Raises Conflict for a disabled one, and where another user has the name; Invalid for a name or
    subject that cannot be.
    """
    if not 1 <= len(subject) <= SUBJECT_LENGTH:
        raise Invalid(f"A subject has 1 to {SUBJECT_LENGTH} characters", "subject")
    with change():
        user = PageUser.get_or_none(PageUser.subject == subject)
        if user is None:
            user = add(name, role)
            PageUser.update(subject=subject).where(PageUser.id == user.id).execute()
        if not user.enabled:
            raise Conflict("This user is disabled", "user_disabled")
        if user.role != role:
            user = set_role(user.id, role)
    return by_id(user.id)


@retried
def set_role(user_id: int, role: str) -> PageUser:
    """Give a user another role. Raises NotFound, Invalid, and Conflict for the last admin."""
    _check_role(role)
    with change():
        user = by_id(user_id)
        if role != ADMIN:
            _require_other_admin(user)
        PageUser.update(role=role).where(PageUser.id == user_id).execute()
        audit.note("edited", "user", user_id, user.name, {"role": user.role}, {"role": role})
    return by_id(user_id)


@retried
def enable(user_id: int, enabled: bool) -> PageUser:
    """Let a user in again, or keep the user out and end all sessions.

    Raises NotFound, and Conflict for the last admin.
    """
    with change():
        user = by_id(user_id)
        if not enabled:
            _require_other_admin(user)
            PageSession.delete().where(PageSession.user_id == user_id).execute()
        PageUser.update(enabled=enabled).where(PageUser.id == user_id).execute()
        sides = {"enabled": user.enabled}, {"enabled": enabled}
        audit.note("edited", "user", user_id, user.name, *sides)
    return by_id(user_id)


def reset(user_id: int) -> PageUser:
    """Forget the password and end all sessions: an invitation has to follow. Raises NotFound."""
    user = by_id(user_id)
    keep_password(user_id, "")
    return user


def note_seen(user: PageUser) -> None:
    """Note that a user has just logged in."""
    PageUser.update(seen_at=clock.now()).where(PageUser.id == user.id).execute()


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise Invalid(f"A role is one of {', '.join(ROLES)}", "role")


def _require_other_admin(user: PageUser) -> None:
    """Refuse to take the last enabled admin away: nobody could let anybody in again."""
    others = PageUser.select().where(
        PageUser.role == ADMIN, PageUser.enabled, PageUser.id != user.id
    )
    if user.role == ADMIN and user.enabled and not others.exists():
        raise Conflict("This is the last admin who is enabled; make another first", "last_admin")
