/* libpq's own reading of database URLs, one a line: `keyword=value` in a line each, `error`, or nothing, then `.`. */
#include <stdio.h>
#include <string.h>

typedef struct {
	char *keyword, *envvar, *compiled, *val, *label, *dispchar;
	int dispsize;
} option;

option *PQconninfoParse(const char *conninfo, char **errmsg);

int main(void)
{
	char line[4096], *error;

	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = 0;
		option *options = PQconninfoParse(line, &error);
		if (!options)
			printf("error=%s", error ? error : "\n");
		for (option *o = options; o && o->keyword; o++)
			if (o->val && *o->val)
				printf("%s=%s\n", o->keyword, o->val);
		puts(".");
	}
	return 0;
}
