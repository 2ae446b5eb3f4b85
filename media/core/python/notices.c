/* Notices for Python. */
#include "python/notices.h"

PyObject *py_append_notices(PyObject *list, const struct notice *notices, int count) {
    for (int i = 0; i < count && list != NULL; i++) {
        PyObject *item = Py_BuildValue("(Li)", (long long)notices[i].stream, notices[i].kind);
        if (item == NULL || PyList_Append(list, item) != 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}
