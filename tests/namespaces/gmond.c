// SPDX-License-Identifier: Apache-2.0
/* For gmond 3.7.2, which keeps of a text that came by sFlow only the lower half of where it is, and
 * breaks when it is to show it (mended after that release).  With setarch -R its texts and its
 * heap lie in one half.
 */
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
int apr_vsnprintf(char *to, unsigned long room, const char *format, va_list values);
int apr_snprintf(char *to, unsigned long room, const char *format, ...)
{
	va_list values;
	int length;

	va_start(values, format);
	if (!strcmp(format, "%s")) {
		unsigned long text = va_arg(values, unsigned long), half = ~0UL << 32;

		text |= text & half ? 0 : (unsigned long)sbrk(0) & half;
		length = strnlen((char *)text, room - 1);
		memcpy(to, (char *)text, length);
		to[length] = 0;
	} else {
		length = apr_vsnprintf(to, room, format, values);
	}
	va_end(values);
	return length;
}
