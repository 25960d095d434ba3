-- Deep nesting in a text that is loaded.
-- run: dirty overflow|too many|out of its memory limit of 8 MiB|limit|too long|large|more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  assert(load('if x then ' .. ('elseif x then '):rep(4500) .. 'end'))
  error('too many: it was loaded')
end

return stage
