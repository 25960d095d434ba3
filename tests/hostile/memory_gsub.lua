-- gsub makes of each byte many.
-- run: dirty out of its memory limit of 8 MiB
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return (('x'):rep(1 << 16):gsub('x', ('y'):rep(1 << 12)))
end

return stage
