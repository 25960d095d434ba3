-- The package library.
-- run: dirty global 'package'
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return package.loadlib('libc.so.6', 'system')
end

return stage
