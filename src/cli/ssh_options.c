/* Nothing of ~/.ssh is read and nothing is asked on the terminal: either certificate and host key fit, or there is no connection. */
#include "cli/ssh_options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/say.h"

void argv_add(struct argv *a, const char *text)
{
	char *copy = a->n < ARGV_MAX ? strdup(text) : NULL;

	if (copy)
		a->v[a->n++] = copy;
	else
		a->failed = true;
}

void argv_fmt(struct argv *a, const char *format, ...)
{
	struct buf text BUF_AUTO = { 0 };
	va_list ap;

	buf_init(&text, 64 * 1024);
	va_start(ap, format);
	buf_vfmt(&text, format, ap);
	va_end(ap);
	if (text.failed)
		a->failed = true;
	else
		argv_add(a, buf_cstr(&text));
}

void argv_deinit(struct argv *a)
{
	while (a->n > 0)
		free(a->v[--a->n]);
}

int argv_exec(struct argv *a)
{
	if (a->failed)
		return say_fail(CLI_USAGE, "%s: too many or too long arguments", a->v[0] ? a->v[0] : "ssh");
	execvp(a->v[0], a->v);
	if (errno == ENOENT)
		return say_fail(CLI_FAILED, "%s is not installed: apt-get install --no-install-recommends openssh-client", a->v[0]);
	return say_fail(CLI_FAILED, "%s: %s", a->v[0], strerror(errno));
}

bool ssh_quote(struct buf *out, const char *text)
{
	buf_byte(out, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			buf_str(out, "'\\''");
		else
			buf_byte(out, (uint8_t)*text);
	}
	return buf_byte(out, '\'');
}

/* ssh hands ProxyCommand to a shell after replacing %x. */
static void add_percent_quoted(struct buf *out, const char *text)
{
	struct buf quoted BUF_AUTO = { 0 };

	buf_init(&quoted, 64 * 1024);
	ssh_quote(&quoted, text);
	for (size_t i = 0; i < quoted.len; i++) {
		if (quoted.p[i] == '%')
			buf_byte(out, '%');
		buf_byte(out, quoted.p[i]);
	}
	out->failed |= quoted.failed;
}

/* "'/path/to/saw' ssh-proxy NAME", with the folders that this saw was told to use. */
static int proxy_command(struct buf *out, const char *name, bool forward, struct err *e)
{
	static const char *const kept[] = { "SAW_RUN", "SAW_STATE" };
	char exe[PATHS_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	bool any = false;

	if (n < 0)
		return err_sys(e, errno, "read /proc/self/exe");
	exe[n] = '\0';
	for (size_t i = 0; i < 2; i++) {
		const char *value = getenv(kept[i]);

		if (!value || !*value)
			continue;
		buf_fmt(out, "%s%s=", any ? "" : "env ", kept[i]);
		add_percent_quoted(out, value);
		buf_byte(out, ' ');
		any = true;
	}
	add_percent_quoted(out, exe);
	buf_fmt(out, " ssh-proxy %s%s", forward ? "--forward " : "", name);
	return out->failed ? err_set(e, ENAMETOOLONG, "the path of saw is too long") : 0;
}

int ssh_options_add(struct argv *a, const struct agent_place *p, const char *user, struct err *e)
{
	static const char *const fixed[] = {
		"IdentityFile=none",	       "IdentitiesOnly=no",	     "PreferredAuthentications=publickey",
		"PasswordAuthentication=no",   "KbdInteractiveAuthentication=no", "StrictHostKeyChecking=yes",
		"GlobalKnownHostsFile=/dev/null", "UpdateHostKeys=no",	     "HostKeyAlgorithms=ssh-ed25519",
		"CheckHostIP=no",	       "ForwardAgent=no",	     "ForwardX11=no",
		"PermitLocalCommand=no",       "ServerAliveInterval=30",     "LogLevel=ERROR",
	};
	struct buf command BUF_AUTO = { 0 };
	int r;

	buf_init(&command, 16 * 1024);
	r = proxy_command(&command, p->name, p->forward, e);
	if (r < 0)
		return r;
	argv_add(a, "-F");
	argv_add(a, "none");
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		argv_add(a, "-o");
		argv_add(a, fixed[i]);
	}
	argv_add(a, "-o");
	argv_fmt(a, "ProxyCommand=%s", buf_cstr(&command));
	argv_add(a, "-o");
	argv_fmt(a, "IdentityAgent=\"%s\"", p->socket);
	argv_add(a, "-o");
	argv_fmt(a, "UserKnownHostsFile=\"%s\"", p->known_hosts);
	argv_add(a, "-o");
	argv_fmt(a, "User=%s", user);
	return 0;
}

/* %n is what the user typed and goes through a shell: names with a quote in them match nothing, and the rest stands in quotes. */
int ssh_options_config(struct buf *out, const char *name, struct err *e)
{
	struct agent_place place;
	char folder[PATHS_MAX];
	char host[API_NAME_MAX + 8];
	int r = agent_place_init(&place, name ? name : "x", true, e);

	if (r < 0)
		return r;
	snprintf(folder, sizeof(folder), "%s", place.socket);
	*strrchr(folder, '/') = '\0';
	if (name)
		buf_fmt(out, "Host %s.saw\n", name);
	else
		buf_str(out, "Host *.saw \"!*'*\"\n");
	buf_str(out, "\tUser agent\n\tProxyCommand ");
	r = proxy_command(out, name ? name : "'%n'", true, e);
	if (r < 0)
		return r;
	/* the agent's files are called by the host's name as stock clients say it */
	snprintf(host, sizeof(host), "%s%s", name ? name : "%n", name ? ".saw" : "");
	buf_fmt(out, "\n\tIdentityAgent \"%s/%s.sock\"\n\tUserKnownHostsFile \"%s/%s.known_hosts\"\n", folder, host, folder, host);
	buf_str(out, "\tGlobalKnownHostsFile /dev/null\n\tIdentityFile none\n\tIdentitiesOnly no\n"
		     "\tPreferredAuthentications publickey\n\tStrictHostKeyChecking yes\n\tUpdateHostKeys no\n"
		     "\tHostKeyAlgorithms ssh-ed25519\n\tCheckHostIP no\n\tForwardAgent no\n\tServerAliveInterval 30\n");
	return out->failed ? err_set(e, ENOMEM, "the configuration is too long") : 0;
}
