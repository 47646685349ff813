# Reference values for scale comparisons of people who answered both waves. Run from the folder that
# holds this file: Rscript linked.R. Packages: clubSandwich, sandwich, survey, jsonlite.
suppressPackageStartupMessages({
  library(clubSandwich); library(sandwich); library(survey); library(jsonlite)
})

# Made from a fixed rule, so that the tests can make the same data. People `from` to `to` answer.
make <- function(site, wave, from, to, a, shift) {
  i <- from:to
  own <- ((3 * i^2 + 5 * i) %% 31) / 6
  data.frame(site, wave, person = paste(site, i), y = 1 + own + ((a * i^2 + 7 * i) %% 23) / 11 + shift,
             age = c("young", "middle", "old")[1 + (i %/% 2) %% 3], w = 0.5 + ((i * 13) %% 17) / 10)
}
did <- function(frame) {
  cells <- c("a after" = 1, "a before" = -1, "c after" = -1, "c before" = 1)
  frame$cell <- factor(paste(frame$site, frame$wave), names(cells))
  list(frame = frame, cells = cells)
}
four <- function(v, cells) sqrt(drop(cells %*% v %*% cells))
two <- function(test) list(estimate = unname(diff(rev(test$estimate))), t = unname(test$statistic),
  df = unname(test$parameter), p = test$p.value, low = test$conf.int[1], high = test$conf.int[2])

# Everybody in both waves: paired t-tests, and Welch's t of the change scores.
whole <- did(rbind(make("a", "before", 1, 43, 4, 0), make("a", "after", 1, 43, 9, 0.6),
                   make("c", "before", 1, 35, 5, 0.1), make("c", "after", 1, 35, 2, 0.3)))$frame
wide <- reshape(whole[c("site", "wave", "person", "y")], idvar = c("site", "person"),
                timevar = "wave", direction = "wide")
wide$change <- wide$y.after - wide$y.before
paired <- with(wide[wide$site == "a", ], t.test(y.after, y.before, paired = TRUE))
changes <- t.test(change ~ site, data = wide)
one <- wide[wide$site == "a", ]
n <- nrow(one)
spread <- sqrt((var(one$y.before) + var(one$y.after)) / 2)
# Algina and Keselman (2003), equation 12, with Hedges' correction.
factor <- sqrt(2 * (1 - cov(one$y.before, one$y.after) / (sd(one$y.before) * sd(one$y.after))) / n)
t <- mean(one$change) / (spread * factor)
j <- exp(lgamma((n - 1) / 2) - log(sqrt((n - 1) / 2)) - lgamma((n - 2) / 2))
root <- function(p) uniroot(function(nc) pt(t, n - 1, nc) - p, c(-5, 15), tol = 1e-12)$root

# Some people in both waves: least squares on the cells, clustered by person.
parts <- did(rbind(make("a", "before", 1, 43, 4, 0), make("a", "after", 20, 61, 9, 0.6),
                   make("c", "before", 1, 35, 5, 0.1), make("c", "after", 11, 39, 2, 0.3)))
part <- parts$frame; cells <- parts$cells
fit <- lm(y ~ 0 + cell, part)
cr2 <- vcovCR(fit, cluster = part$person, type = "CR2")
satterthwaite <- linear_contrast(fit, vcov = cr2, contrasts = matrix(cells, 1), test = "Satterthwaite")

# The same with given and with raked weights.
ages <- c(middle = 0.4, old = 0.3)
strata <- svydesign(ids = ~person, strata = ~site, weights = ~w, data = part)
part$one <- 1
size <- table(part$cell)
totals <- c(size, ages["middle"] * size, ages["old"] * size)
part$age <- factor(part$age, c("young", "middle", "old"))
plain <- svydesign(ids = ~person, strata = ~site, weights = ~one, data = part)
names(totals) <- c(paste0("cell", names(cells)), paste0("cell", names(cells), ":agemiddle"),
                   paste0("cell", names(cells), ":ageold"))
columns <- colnames(model.matrix(~ 0 + cell + cell:age, part))
raked <- calibrate(plain, ~ 0 + cell + cell:age, totals[columns], calfun = "raking", epsilon = 1e-13,
                   maxit = 500)
weighted <- function(design) {
  model <- svyglm(y ~ 0 + cell, design)
  list(estimate = drop(cells %*% coef(model)), se = four(vcov(model), cells))
}

# Two pairs that share a control: one regression over both, a person of the control in it twice.
joined <- merge(
  rbind(make("a", "before", 1, 43, 4, 0), make("b", "before", 1, 29, 7, 0.2), make("c", "before", 1, 35, 5, 0.1)),
  rbind(make("a", "after", 1, 43, 9, 0.6), make("b", "after", 1, 29, 3, 0.9), make("c", "after", 1, 35, 2, 0.3)),
  by = c("site", "person"), suffixes = c(".before", ".after"))
stack <- do.call(rbind, lapply(c("a", "b"), function(treated) {
  rows <- joined[joined$site %in% c(treated, "c"), ]
  data.frame(rows, pair = treated, treated = as.numeric(rows$site == treated))
}))
ancova <- lm(y.after ~ 0 + pair + pair:y.before + pair:treated, stack)
robust <- vcovCR(ancova, cluster = stack$person, type = "CR2")
half <- ifelse(grepl("treated", names(coef(ancova))), 0.5, 0)

result <- list(
  paired = list(estimate = unname(paired$estimate), t = unname(paired$statistic),
                df = unname(paired$parameter), p = paired$p.value, low = paired$conf.int[1],
                high = paired$conf.int[2]),
  changes = two(changes),
  g = c(t, root(0.975), root(0.025)) * j * factor,
  clustered = list(estimate = drop(cells %*% coef(fit)), se = four(as.matrix(cr2), cells),
                   se_cl = four(vcovCL(fit, part$person, type = "HC2"), cells),
                   df = satterthwaite$df,
                   alone = four(vcovHC(fit, type = "HC2"), cells)),
  given = weighted(strata), raked = weighted(raked),
  weights = unname(weights(raked)),
  shared = list(estimate = sum(half * coef(ancova)), se = four(as.matrix(robust), half)),
  versions = list(R = as.character(getRversion()),
                  clubSandwich = as.character(packageVersion("clubSandwich")),
                  sandwich = as.character(packageVersion("sandwich")),
                  survey = as.character(packageVersion("survey")))
)
write_json(result, "linked.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
