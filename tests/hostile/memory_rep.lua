-- One large text.
-- run: dirty out of its memory limit of 8 MiB
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return ('x'):rep(1 << 30)
end

return stage
