// Where a time zone is to be chosen for the first time, the browser's own is proposed.

const own = Intl.DateTimeFormat().resolvedOptions().timeZone

for (const choice of document.querySelectorAll("select[data-own]")) {
  if ([...choice.options].some(option => option.value === own)) choice.value = own
}
